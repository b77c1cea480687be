import { ShardpoolError } from "../../lib/errors.js";
import type { GoldenRequests } from "../../lib/model/golden.js";
import type { ModelManifest } from "../../lib/model/manifest.js";
import type { FeatureColumns, PooledLayout } from "./pooled-layout.js";
import type { Prediction, Predictor } from "./predictor.js";

export interface GoldenCheck {
  readonly predictor: Pick<Predictor, "predict">;
  readonly golden: GoldenRequests;
  readonly manifest: ModelManifest;
  readonly layout: PooledLayout;
  /** On the predictor's clock. */
  readonly deadlineAt: number;
}

/**
 * Asks the whole way, shards and dense part, for what the model recorded when it was made: `pooled`,
 * which shows a wrong row at once, and `probability`.
 *
 * @throws ShardpoolError GOLDEN_MISMATCH naming the sample, what was recorded and what came.
 */
export async function assertGoldenAnswers(check: GoldenCheck): Promise<void> {
  const { sampleCount, denseFeatures, batch } = check.golden;
  // The dense worker takes its buffers over, and the range policy its ids.
  const copy = { ...batch, values: batch.values.slice() };
  const request = { sampleCount, denseFeatures: denseFeatures.slice(), batch: copy };
  const prediction = await check.predictor.predict(request, check.deadlineAt).result;
  try {
    assertPooled(check, prediction);
    assertProbability(check, prediction);
  } finally {
    prediction.release();
  }
}

function assertPooled({ golden, manifest, layout }: GoldenCheck, { pooled }: Prediction): void {
  for (const [f, columns] of layout.features.entries()) {
    const bounds = boundsOf(golden, layout, columns, f);
    for (let sample = 0; sample < golden.sampleCount; sample++) {
      const start = sample * layout.width + columns.columnOffset;
      for (let i = start; i < start + columns.embeddingDim; i++) {
        if (Math.abs(pooled[i]! - golden.pooled[i]!) <= bounds[sample]!) continue;
        throw new ShardpoolError(
          "GOLDEN_MISMATCH",
          `golden sample ${sample}, pooled of feature ${manifest.features[f]!.name}: served ${pooled[i]}, ` +
            `recorded ${golden.pooled[i]}, the tolerance is ${bounds[sample]}`,
        );
      }
    }
  }
}

/** What rounding may cost a bag that is added in another order, as a share of the sum of |row|. */
const ROW_SPLIT_TOLERANCE = 1e-6;

/**
 * How far a feature's values may be off, by sample. A bag that is summed in one place comes bit-exact;
 * one that a plan splits by rows is added in another order. The rows are not here to take |row| of, so
 * the largest value of the feature stands for a row's: a wrong row is off by 1e4 times as much.
 */
function boundsOf(
  { batch, pooled, sampleCount }: GoldenRequests,
  { width }: PooledLayout,
  { columnOffset, embeddingDim, isAdded }: FeatureColumns,
  featureIndex: number,
): Float64Array {
  const bounds = new Float64Array(sampleCount);
  if (!isAdded) return bounds;
  let largest = 0;
  for (let sample = 0; sample < sampleCount; sample++) {
    const start = sample * width + columnOffset;
    for (let i = start; i < start + embeddingDim; i++) {
      largest = Math.max(largest, Math.abs(pooled[i]!));
    }
  }
  for (let sample = 0; sample < sampleCount; sample++) {
    const bagLength = batch.lengths[featureIndex * sampleCount + sample]!;
    bounds[sample] = ROW_SPLIT_TOLERANCE * largest * bagLength;
  }
  return bounds;
}

function assertProbability({ golden, manifest }: GoldenCheck, { probability }: Prediction): void {
  for (let sample = 0; sample < golden.sampleCount; sample++) {
    const difference = Math.abs(probability[sample]! - golden.probability[sample]!);
    if (difference <= manifest.tolerance) continue;
    throw new ShardpoolError(
      "GOLDEN_MISMATCH",
      `golden sample ${sample}: served ${probability[sample]}, recorded ${golden.probability[sample]}, ` +
        `the tolerance is ${manifest.tolerance}`,
    );
  }
}
