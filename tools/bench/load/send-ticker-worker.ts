import { parentPort, workerData } from "node:worker_threads";
import type { TickerWork } from "./send-pacer.js";
import { machineNowMs } from "./shared-clock.js";

/** Wakes the thread that sends, a little before each moment in `dueMs`; ends with the last one. */
function tick({ dueMs, startAtMs, leadMs }: TickerWork): void {
  const cell = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  let next = 0;
  while (next < dueMs.length) {
    const waitMs = startAtMs + dueMs[next]! - leadMs - machineNowMs();
    if (waitMs > 0) Atomics.wait(cell, 0, 0, waitMs);
    const soonMs = machineNowMs() - startAtMs + leadMs;
    while (next < dueMs.length && dueMs[next]! <= soonMs) next++;
    parentPort?.postMessage(0);
  }
}

tick(workerData as TickerWork);
