import { pooledWidthOf } from "../../lib/model/manifest.js";
import type { Model } from "../../lib/model/model-directory.js";
import { createDenseSession } from "../../services/frontend/index.js";
import { type ClickBatch, sliceClickBatch } from "./click-batch.js";
import { poolClicks } from "./pool-clicks.js";

/** Pooled values held at once. Tables are read once for each such run of samples. */
const POOLED_BYTES_MAX = 512 << 20;
/** Samples a run of the dense part: its time a sample falls no further above this. */
const DENSE_SAMPLES = 1024;

/**
 * The model's own click probabilities for a log, `[B]`, from its files and without a cluster. Row ids
 * must be below their tables' row counts.
 *
 * @param onProgress Is told how many samples are done.
 * @throws ShardpoolError MODEL_INVALID, FILE_CORRUPT, FILE_NOT_FOUND.
 */
export async function computeClickProbabilities(
  model: Model,
  clicks: ClickBatch,
  { threadCount = 2, onProgress = (_done: number): void => {} } = {},
): Promise<Float32Array> {
  const width = pooledWidthOf(model.manifest);
  const probabilities = new Float32Array(clicks.sampleCount);
  const runSamples = Math.max(DENSE_SAMPLES, Math.floor(POOLED_BYTES_MAX / (4 * width)));
  const session = await createDenseSession(model.densePath, { threadCount });
  try {
    for (let start = 0; start < clicks.sampleCount; start += runSamples) {
      const end = Math.min(start + runSamples, clicks.sampleCount);
      const run = sliceClickBatch(clicks, start, end);
      const pooled = poolClicks(model, run, width);
      for (let from = 0; from < run.sampleCount; from += DENSE_SAMPLES) {
        const count = Math.min(DENSE_SAMPLES, run.sampleCount - from);
        const { dense } = sliceClickBatch(run, from, from + count);
        const rows = pooled.subarray(from * width, (from + count) * width);
        const { probability } = await session.run(dense, rows, count);
        probabilities.set(probability, start + from);
        onProgress(start + from + count);
      }
    }
  } finally {
    await session.close();
  }
  return probabilities;
}
