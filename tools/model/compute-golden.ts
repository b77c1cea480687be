import { ShardpoolError } from "../../lib/errors.js";
import type { JaggedBatch } from "../../lib/jagged-batch.js";
import type { DenseWeights } from "../../lib/model/dense-weights.js";
import type { GoldenRequests } from "../../lib/model/golden.js";
import type { ModelManifest } from "../../lib/model/manifest.js";
import type { TableSource } from "../../lib/model/model-directory.js";
import { referenceForward } from "../../lib/model/reference-forward.js";
import { referencePooled } from "../../lib/model/reference-pooled.js";
import { Random } from "../../lib/random.js";
import { createDenseSession } from "../../services/frontend/index.js";

export type GoldenModel = Pick<
  ModelManifest,
  "denseFeatureCount" | "features" | "tables" | "tolerance" | "name"
>;

const SAMPLE_COUNT = 16;
const BAG_LENGTH_MAX = 8;

/** Golden requests, and how far the two computations of their answers are apart. */
export interface ComputedGolden {
  readonly golden: GoldenRequests;
  /** Largest |probability of the oracle − of ONNX Runtime|; null where no oracle knows the graph. */
  readonly probabilityDifferenceMax: number | null;
}

/**
 * Draws requests with empty bags, repeated ids and the first and last row of every table, and
 * computes their answers: `pooled` by the oracle; logit and probability by ONNX Runtime, and by the
 * oracle too where the dense part's weights are known.
 *
 * @throws ShardpoolError GOLDEN_MISMATCH when the two differ by more than the model's tolerance.
 */
export async function computeGolden(
  model: GoldenModel,
  tables: TableSource,
  dense: { readonly path: string; readonly weights: DenseWeights | undefined },
): Promise<ComputedGolden> {
  const { denseFeatures, batch } = drawRequests(model);
  const { pooled } = referencePooled(tables, batch);
  const session = await createDenseSession(dense.path, { threadCount: 1 });
  try {
    const served = await session.run(denseFeatures, pooled, SAMPLE_COUNT);
    const answers =
      dense.weights && referenceForward(dense.weights, denseFeatures, pooled, SAMPLE_COUNT);
    const difference =
      answers === undefined ? null : differenceMax(answers.probability, served.probability);
    if (difference !== null && !(difference <= model.tolerance)) {
      throw new ShardpoolError(
        "GOLDEN_MISMATCH",
        `model ${model.name}: the oracle and ONNX Runtime differ by ${difference}, the tolerance is ${model.tolerance}`,
      );
    }
    const { logit, probability } = answers ?? served;
    const golden = { sampleCount: SAMPLE_COUNT, denseFeatures, batch, pooled, probability };
    return {
      golden: logit === undefined ? golden : { ...golden, logit },
      probabilityDifferenceMax: difference,
    };
  } finally {
    await session.close();
  }
}

/** Requests with normal dense features and short bags of uniform row ids; the same each time. */
export function drawRequests(
  model: GoldenModel,
  sampleCount = SAMPLE_COUNT,
): { denseFeatures: Float32Array; batch: JaggedBatch } {
  const random = new Random(0, "golden");
  const rowCounts = new Map(model.tables.map(({ name, rowCount }) => [name, rowCount]));
  const featureCount = model.features.length;
  const lengths = new Int32Array(featureCount * sampleCount);
  const values: number[] = [];
  for (const [f, { table }] of model.features.entries()) {
    const rowCount = rowCounts.get(table)!;
    for (let b = 0; b < sampleCount; b++) {
      // Sample 0 has empty bags, sample 1 the last row and, after it, twice the first.
      const bag = b === 0 ? [] : b === 1 ? [rowCount - 1, 0, 0] : drawBag(random, rowCount);
      lengths[f * sampleCount + b] = bag.length;
      for (const rowId of bag) values.push(rowId);
    }
  }
  const denseFeatures = Float32Array.from({ length: sampleCount * model.denseFeatureCount }, () =>
    random.nextNormal(),
  );
  const batch = {
    featureCount,
    sampleCount,
    lengths,
    values: Int32Array.from(values),
  };
  return { denseFeatures, batch };
}

function drawBag(random: Random, rowCount: number): number[] {
  const length = random.nextBelow(BAG_LENGTH_MAX + 1);
  return Array.from({ length }, () => random.nextBelow(rowCount));
}

function differenceMax(a: Float32Array, b: Float32Array): number {
  let max = 0;
  for (let i = 0; i < a.length; i++) max = Math.max(max, Math.abs(a[i]! - b[i]!));
  return max;
}
