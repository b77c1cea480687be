import { Worker } from "node:worker_threads";
import { ShardpoolError } from "../../lib/errors.js";
import type { DenseReply, DenseRequest, DenseWorkerData } from "./dense-wire.js";

export interface DenseResult {
  readonly probability: Float32Array;
  readonly logit?: Float32Array;
  readonly pooled: Float32Array;
  /** Microseconds inside the session. */
  readonly runUs: number;
}

interface Waiting {
  readonly resolve: (result: DenseResult) => void;
  readonly reject: (error: ShardpoolError) => void;
}

/** One worker thread with its session, seen from the main thread. It does not outlive a crash. */
export class DenseThread {
  readonly hasLogit: boolean;
  /** Settles when the thread is gone, whether asked to or not. */
  readonly ended: Promise<void>;
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];
  #isOver = false;

  private constructor(worker: Worker, hasLogit: boolean) {
    this.#worker = worker;
    this.hasLogit = hasLogit;
    worker.on("message", (reply: DenseReply) => this.#settle(reply));
    this.ended = new Promise((resolve) => {
      worker.once("exit", () => {
        this.#failAll();
        resolve();
      });
    });
  }

  /**
   * Starts a thread and waits for its session.
   *
   * @param moduleUrl The body of the thread.
   * @throws ShardpoolError FILE_NOT_FOUND or MODEL_INVALID as the session does, PROCESS_FAILED when
   * the thread dies.
   */
  static async start(
    workerData: DenseWorkerData,
    moduleUrl = new URL("./dense-worker.js", import.meta.url),
  ): Promise<DenseThread> {
    const worker = new Worker(moduleUrl, { workerData });
    // Without a listener an exception in the worker would end this process; `exit` follows it.
    worker.on("error", () => {});
    const first = await new Promise<DenseReply>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("exit", () => reject(workerEnded()));
    });
    if (first.kind === "ready") return new DenseThread(worker, first.hasLogit);
    await worker.terminate();
    const { code, detail } =
      first.kind === "failed" ? first : { code: "PROCESS_FAILED" as const, detail: first.kind };
    throw new ShardpoolError(code, detail);
  }

  get inFlightCount(): number {
    return this.#waiting.length;
  }

  /**
   * Sends a batch; the thread does one at a time, in order. The buffer of `pooled` goes along and
   * comes back with the result; it is lost when this throws.
   *
   * @throws ShardpoolError PROCESS_FAILED when the thread dies first, else the session's error.
   */
  run(request: DenseRequest): Promise<DenseResult> {
    return new Promise((resolve, reject) => {
      if (this.#isOver) {
        reject(workerEnded());
        return;
      }
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage({ ...request, dense: ofItsOwn(request.dense) }, [
        request.pooled.buffer as ArrayBuffer,
      ]);
    });
  }

  /** Ends the thread at once; what it was doing fails. */
  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(reply: DenseReply): void {
    const waiting = this.#waiting.shift();
    if (!waiting) return;
    if (reply.kind === "done") waiting.resolve(reply);
    else if (reply.kind === "failed") {
      waiting.reject(new ShardpoolError(reply.code, reply.detail));
    }
  }

  #failAll(): void {
    this.#isOver = true;
    for (const { reject } of this.#waiting.splice(0)) reject(workerEnded());
  }
}

/** A view of a larger buffer, for instance of a whole request, would be cloned with all of it. */
function ofItsOwn(values: Float32Array): Float32Array {
  return values.byteLength === values.buffer.byteLength ? values : values.slice();
}

function workerEnded(): ShardpoolError {
  return new ShardpoolError("PROCESS_FAILED", "a dense worker ended unexpectedly");
}
