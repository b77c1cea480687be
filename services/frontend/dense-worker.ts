import { parentPort, workerData } from "node:worker_threads";
import { ShardpoolError } from "../../lib/errors.js";
import { createDenseSession, type DenseSession } from "./dense-session.js";
import type { DenseReply, DenseRequest, DenseWorkerData } from "./dense-wire.js";

// The body of a dense worker thread: one session, one run at a time, buffers in and out by transfer.

const port = parentPort;
if (!port) throw new TypeError("dense-worker.ts runs as a worker thread only");

const { onnxPath, threadCount } = workerData as DenseWorkerData;

function post(reply: DenseReply, transfer: readonly ArrayBuffer[] = []): void {
  port!.postMessage(reply, transfer);
}

function postError(error: unknown): void {
  const { code, detail } =
    error instanceof ShardpoolError
      ? error
      : { code: "PROCESS_FAILED" as const, detail: `${error}` };
  post({ kind: "failed", code, detail });
}

async function run(session: DenseSession, request: DenseRequest): Promise<void> {
  const { dense, pooled, sampleCount } = request;
  try {
    const startedAt = performance.now();
    const { probability, logit } = await session.run(dense, pooled, sampleCount);
    const runUs = (performance.now() - startedAt) * 1000;
    const transfer = [probability.buffer, pooled.buffer, ...(logit ? [logit.buffer] : [])];
    post(
      { kind: "done", probability, ...(logit && { logit }), pooled, runUs },
      transfer as ArrayBuffer[],
    );
  } catch (error) {
    postError(error);
  }
}

try {
  const session = await createDenseSession(onnxPath, { threadCount });
  let last = Promise.resolve();
  port.on("message", (request: DenseRequest) => {
    last = last.then(() => run(session, request));
  });
  post({ kind: "ready", hasLogit: session.hasLogit });
} catch (error) {
  postError(error);
}
