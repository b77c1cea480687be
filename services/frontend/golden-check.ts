import { ShardpoolError } from "../../lib/errors.js";
import type { GoldenRequests } from "../../lib/model/golden.js";
import type { ModelManifest } from "../../lib/model/manifest.js";
import type { Predictor } from "./predictor.js";

/**
 * Asks the whole way, shards and dense part, for what the model recorded when it was made.
 *
 * @param deadlineAt On the predictor's clock.
 * @throws ShardpoolError GOLDEN_MISMATCH naming the sample, what was recorded and what came.
 */
export async function assertGoldenAnswers(
  predictor: Predictor,
  golden: GoldenRequests,
  manifest: ModelManifest,
  deadlineAt: number,
): Promise<void> {
  const { sampleCount, denseFeatures, batch } = golden;
  // The dense worker takes its buffers over, and the range policy its ids.
  const copy = { ...batch, values: batch.values.slice() };
  const request = { sampleCount, denseFeatures: denseFeatures.slice(), batch: copy };
  const prediction = await predictor.predict(request, deadlineAt).result;
  const { probability } = prediction;
  for (let sample = 0; sample < sampleCount; sample++) {
    const difference = Math.abs(probability[sample]! - golden.probability[sample]!);
    if (difference <= manifest.tolerance) continue;
    throw new ShardpoolError(
      "GOLDEN_MISMATCH",
      `golden sample ${sample}: served ${probability[sample]}, recorded ${golden.probability[sample]}, the tolerance is ${manifest.tolerance}`,
    );
  }
  prediction.release();
}
