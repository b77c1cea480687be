import { readFileSync } from "node:fs";
import { ShardpoolError } from "../../lib/errors.js";
import type { Model } from "../../lib/model/model-directory.js";
import { referenceForward } from "../../lib/model/reference-forward.js";
import { referencePooled } from "../../lib/model/reference-pooled.js";
import { readDenseWeights } from "../../lib/onnx/dense-onnx-reader.js";
import { createDenseSession } from "../../services/frontend/index.js";

/** Largest differences from what was recorded when the model was made. */
export interface GoldenDifferences {
  readonly sampleCount: number;
  /** Of the oracle's pooled vectors; 0 for a model whose rows are whole. */
  readonly pooled: number;
  /** Of the probabilities: ONNX Runtime's, and the oracle's where it knows the graph. */
  readonly onnxRuntime: number;
  readonly oracle: number | null;
}

/**
 * Answers a model's golden requests from its files, by ONNX Runtime and by the oracle.
 *
 * @throws ShardpoolError GOLDEN_MISMATCH when a probability is off by more than the tolerance, or a
 * pooled vector at all.
 */
export async function verifyGolden(model: Model): Promise<GoldenDifferences> {
  const golden = await model.readGolden();
  const { sampleCount, denseFeatures, batch } = golden;
  const { pooled } = referencePooled(model, batch);
  const session = await createDenseSession(model.densePath, { threadCount: 1 });
  try {
    const served = await session.run(denseFeatures, pooled, sampleCount);
    const differences = {
      sampleCount,
      pooled: differenceMax(pooled, golden.pooled),
      onnxRuntime: differenceMax(served.probability, golden.probability),
      oracle: oracleDifference(model, golden.probability, denseFeatures, pooled),
    };
    assertSmall(model, differences);
    return differences;
  } finally {
    await session.close();
  }
}

function oracleDifference(
  { manifest, densePath }: Model,
  recorded: Float32Array,
  denseFeatures: Float32Array,
  pooled: Float32Array,
): number | null {
  // An imported graph has nodes that the oracle does not know.
  if (manifest.interaction === "imported") return null;
  const weights = readDenseWeights(readFileSync(densePath), densePath);
  const { probability } = referenceForward(weights, denseFeatures, pooled, recorded.length);
  return differenceMax(probability, recorded);
}

function assertSmall({ dir, manifest }: Model, differences: GoldenDifferences): void {
  const { pooled, onnxRuntime, oracle } = differences;
  const worst = Math.max(onnxRuntime, oracle ?? 0);
  if (pooled === 0 && worst <= manifest.tolerance) return;
  throw new ShardpoolError(
    "GOLDEN_MISMATCH",
    `${dir}: golden requests differ by ${pooled} in pooled (0 allowed) and ${worst} in probability (${manifest.tolerance} allowed)`,
  );
}

function differenceMax(a: Float32Array, b: Float32Array): number {
  let max = a.length === b.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < a.length; i++) max = Math.max(max, Math.abs(a[i]! - b[i]!));
  return max;
}
