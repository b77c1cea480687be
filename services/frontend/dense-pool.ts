import { ShardpoolError } from "../../lib/errors.js";
import type { Logger } from "../../lib/log.js";
import { type DenseResult, DenseThread } from "./dense-thread.js";
import type { DenseRequest } from "./dense-wire.js";

export interface DensePoolOptions {
  readonly onnxPath: string;
  readonly workerCount: number;
  /** Threads inside one run. */
  readonly threadCount: number;
  readonly log: Logger;
  /** The body of a worker thread; `dense-worker.js` unless told. */
  readonly workerUrl?: URL;
}

/** A wait before a crashed worker is started anew, so that a broken one does not spin. */
const RESTART_DELAY_MS = 100;

/** The dense part on worker threads: the main thread stays free for the wire. */
export class DensePool {
  readonly hasLogit: boolean;
  readonly #options: DensePoolOptions;
  readonly #threads: DenseThread[];
  /** Calls that found no thread alive; the next one that starts takes them. */
  readonly #waiting: Waiting[] = [];
  #isClosed = false;

  private constructor(options: DensePoolOptions, threads: DenseThread[]) {
    this.#options = options;
    this.#threads = threads;
    this.hasLogit = threads[0]!.hasLogit;
    for (const thread of threads) this.#watch(thread);
  }

  /**
   * Loads the graph in every worker. The caller closes the pool.
   *
   * @throws ShardpoolError FILE_NOT_FOUND, MODEL_INVALID or PROCESS_FAILED.
   */
  static async start(options: DensePoolOptions): Promise<DensePool> {
    const starts = await Promise.allSettled(
      Array.from({ length: options.workerCount }, () => startThread(options)),
    );
    const threads = starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
    const failed = starts.find((start) => start.status === "rejected");
    if (!failed) return new DensePool(options, threads);
    await Promise.all(threads.map((thread) => thread.terminate()));
    throw failed.reason;
  }

  /** Batches given to workers and not yet back. */
  get inFlightCount(): number {
    return this.#threads.reduce((sum, thread) => sum + thread.inFlightCount, 0);
  }

  get threads(): readonly DenseThread[] {
    return this.#threads;
  }

  /**
   * Runs a batch on the worker with the least to do; `DenseThread.run` says what becomes of buffers.
   *
   * @throws ShardpoolError PROCESS_FAILED when the worker dies first: worth one more try.
   */
  async run(request: DenseRequest): Promise<DenseResult> {
    let best = this.#threads[0] ?? (await this.#nextThread());
    for (const thread of this.#threads) {
      if (thread.inFlightCount < best.inFlightCount) best = thread;
    }
    return await best.run(request);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const closed = new ShardpoolError("SERVER_DRAINING", "the dense workers are being stopped");
    for (const { reject } of this.#waiting.splice(0)) reject(closed);
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }

  #nextThread(): Promise<DenseThread> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  /** Has the thread replaced when it ends, whoever ended it. */
  #watch(thread: DenseThread): void {
    void thread.ended.then(async () => {
      this.#threads.splice(this.#threads.indexOf(thread), 1);
      if (!this.#isClosed) await this.#startReplacement();
    });
  }

  async #startReplacement(): Promise<void> {
    const { log } = this.#options;
    log.error("a dense worker ended unexpectedly; starting another");
    while (!this.#isClosed) {
      try {
        const thread = await startThread(this.#options);
        if (this.#isClosed) await thread.terminate();
        else this.#adopt(thread);
        return;
      } catch (error) {
        log.error({ err: error }, "a dense worker did not start; trying again");
        await new Promise((resolve) => setTimeout(resolve, RESTART_DELAY_MS));
      }
    }
  }

  #adopt(thread: DenseThread): void {
    this.#threads.push(thread);
    this.#watch(thread);
    for (const { resolve } of this.#waiting.splice(0)) resolve(thread);
  }
}

interface Waiting {
  readonly resolve: (thread: DenseThread) => void;
  readonly reject: (error: ShardpoolError) => void;
}

function startThread(options: DensePoolOptions): Promise<DenseThread> {
  const { onnxPath, threadCount, workerUrl } = options;
  return DenseThread.start({ onnxPath, threadCount }, workerUrl);
}
