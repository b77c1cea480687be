import { join } from "node:path";
import type { JaggedBatch } from "../../lib/jagged-batch.js";
import type { ModelFeature } from "../../lib/model/manifest.js";
import type { Model } from "../../lib/model/model-directory.js";
import type { ShardingPlan } from "../../lib/plan/plan.js";
import { Random } from "../../lib/random.js";
import { normalValues, randomWeights } from "./random-weights.js";
import { makePlan } from "./shard-model.js";
import { writeTestModel } from "./write-test-model.js";

/** 20 and 30 rows of 4; their last row ids are 19 and 29. */
const TABLES = [
  { name: "a", rowCount: 20, embeddingDim: 4, dtype: "float32" },
  { name: "b", rowCount: 30, embeddingDim: 4, dtype: "float32" },
] as const;

/** One feature of each policy for ids out of range; two share a table. */
const FEATURES: readonly ModelFeature[] = [
  { name: "strict", table: "a", pooling: "sum", outOfRange: "error" },
  { name: "filled", table: "a", pooling: "sum", outOfRange: "default", defaultRow: 3 },
  { name: "skipped", table: "b", pooling: "sum", outOfRange: "skip" },
];

const DENSE_FEATURE_COUNT = 2;
const GOLDEN_SAMPLE_COUNT = 3;

/**
 * A model directory small enough to compute by hand: features `strict`, `filled` and `skipped` over
 * two tables, 2 dense features, and 3 golden samples.
 *
 * @param meanFeature Give the last feature mean pooling.
 */
export function writePolicyModel(folder: string, meanFeature = false): Promise<Model> {
  const random = new Random(11, "policy model");
  const features = FEATURES.map((feature) =>
    meanFeature && feature.name === "skipped" ? { ...feature, pooling: "mean" as const } : feature,
  );
  const embeddingDims = features.map(() => 4);
  return writeTestModel(join(folder, meanFeature ? "mean-model" : "policy-model"), {
    tables: TABLES,
    features,
    rows: new Map(
      TABLES.map(({ name, rowCount }) => [name, normalValues(rowCount * 4, 1, random)]),
    ),
    weights: randomWeights(
      {
        interaction: "cat",
        denseFeatureCount: DENSE_FEATURE_COUNT,
        embeddingDims,
        bottomHidden: [],
        topHidden: [5],
      },
      3,
    ),
    dense: normalValues(GOLDEN_SAMPLE_COUNT * DENSE_FEATURE_COUNT, 1, random),
    batch: goldenBatch(),
  });
}

/** An empty bag, repeats, and the last row of each table. */
function goldenBatch(): JaggedBatch {
  return {
    featureCount: FEATURES.length,
    sampleCount: GOLDEN_SAMPLE_COUNT,
    lengths: Int32Array.of(1, 2, 0, 1, 1, 2, 2, 0, 1),
    values: Int32Array.of(19, 5, 5, 0, 1, 2, 19, 29, 7, 11),
  };
}

/** Table `a` on one shard, `b` cut by rows over two. */
export function policyPlan(model: Model): ShardingPlan {
  return makePlan(
    model,
    [
      { table: "a", shards: ["shard-0"] },
      { table: "b", rowEnd: 10, shards: ["shard-0"] },
      { table: "b", rowStart: 10, shards: ["shard-1"] },
    ],
    ["shard-0", "shard-1"],
  );
}
