import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import type { JaggedBatch } from "../../lib/jagged-batch.js";
import type { DenseWeights } from "../../lib/model/dense-weights.js";
import { DTYPES, type Dtype } from "../../lib/model/dtype.js";
import type { Model } from "../../lib/model/model-directory.js";
import { referenceForward } from "../../lib/model/reference-forward.js";
import { referencePooled } from "../../lib/model/reference-pooled.js";
import { readDenseWeights } from "../../lib/onnx/dense-onnx-reader.js";
import { Random } from "../../lib/random.js";
import { pooledLayoutOf } from "../../services/frontend/pooled-layout.js";
import { absoluteSums } from "./absolute-sums.js";
import { randomQuery } from "./random-query.js";
import { normalValues, randomWeights } from "./random-weights.js";
import { servePlan } from "./served-plan.js";
import { makePlan, type PartitionChoice } from "./shard-model.js";
import { writeTestModel } from "./write-test-model.js";

/** DESIGN's bounds: of a bag whose rows are split, as a share of Σ|row|; and of a probability. */
const ROW_SPLIT_TOLERANCE = 1e-6;
const PROBABILITY_TOLERANCE = 1e-6;
const DENSE_FEATURE_COUNT = 3;

const BATCH_SIZES = [1, 2, 7, 33];

export interface RandomCluster {
  readonly tables: readonly {
    readonly rowCount: number;
    readonly embeddingDim: number;
    readonly dtype: Dtype;
    /** Where rows and columns are cut, as shares of the table. */
    readonly rowCuts: readonly number[];
    readonly columnCuts: readonly number[];
  }[];
  readonly features: readonly { readonly table: number; readonly pooling: "sum" | "mean" }[];
  readonly shardCount: number;
  /** Share of the row bytes in memory. */
  readonly cacheShare: number;
  readonly seed: number;
}

const share = fc.integer({ min: 0, max: 99 }).map((percent) => percent / 100);
/** Models, plans and shards: row and column splits, replicas, features that share a table. */
export const randomClusters: fc.Arbitrary<RandomCluster> = fc.record({
  tables: fc.array(
    fc.record({
      rowCount: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 6, max: 300 })),
      embeddingDim: fc.constantFrom(16, 32, 48),
      dtype: fc.constantFrom(...DTYPES),
      rowCuts: fc.array(share, { maxLength: 2 }),
      columnCuts: fc.array(share, { maxLength: 2 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  features: fc.array(
    fc.record({ table: fc.nat({ max: 2 }), pooling: fc.constantFrom("sum", "mean") }),
    { minLength: 1, maxLength: 4 },
  ),
  shardCount: fc.integer({ min: 1, max: 4 }),
  cacheShare: fc.constantFrom(0.05, 0.5, 2),
  seed: fc.nat({ max: 1e6 }),
});

/**
 * Serves a random cluster from this process and compares what it answers with the oracle: random
 * queries of several sizes at once, with empty bags, repeated ids and last rows.
 */
export async function assertServedRight(folder: string, drawn: RandomCluster): Promise<void> {
  const model = await modelOf(folder, drawn);
  const choices = partitionsOf(drawn);
  const shardIds = shardIdsOf(drawn, choices);
  const plan = makePlan(model, placedOn(choices, shardIds, drawn.seed), shardIds);
  const served = await servePlan(folder, model.dir, plan, { batchSampleCountMax: 16 });
  try {
    const weights = readDenseWeights(readFileSync(model.densePath));
    const layout = pooledLayoutOf(model.manifest, plan);
    const queries = BATCH_SIZES.map(async (sampleCount, i) => {
      const { dense, batch } = randomQuery(model.manifest, sampleCount, drawn.seed + i);
      const query = { dense, batch: i % 2 === 0 ? batch : weighted(model, batch, drawn.seed) };
      const outputs = ["pooled", "probability"] as const;
      const answer = await served.client.infer({ modelName: "test", ...query, outputs });
      assertPooled(answer.outputs.get("pooled")!, model, query.batch, layout);
      assertProbability(answer.outputs.get("probability")!, model, weights, query);
    });
    // At once, so that batches join and are cut.
    await Promise.all(queries);
  } finally {
    await served.close();
  }
}

function modelOf(folder: string, { tables, features, seed }: RandomCluster): Promise<Model> {
  const random = new Random(seed, "model");
  const described = tables.map(({ rowCount, embeddingDim, dtype }, i) => ({
    ...{ name: `t${i}`, rowCount, embeddingDim, dtype },
  }));
  const modelFeatures = features.map(({ table, pooling }, i) => ({
    ...({ name: `f${i}`, pooling, outOfRange: "error" } as const),
    table: `t${table % tables.length}`,
  }));
  const dimOf = (table: string) => described.find(({ name }) => name === table)!.embeddingDim;
  const shape = {
    interaction: "cat",
    denseFeatureCount: DENSE_FEATURE_COUNT,
    embeddingDims: modelFeatures.map(({ table }) => dimOf(table)),
    bottomHidden: [5],
    topHidden: [7],
  } as const;
  return writeTestModel(join(folder, "model"), {
    tables: described,
    features: modelFeatures,
    rows: new Map(
      described.map(({ name, rowCount, embeddingDim }) => [
        name,
        normalValues(rowCount * embeddingDim, 0.3, random),
      ]),
    ),
    weights: randomWeights(shape, seed),
    ...goldenOf(modelFeatures.length, random),
  });
}

/** One sample of row 0 a feature: every table has one. */
function goldenOf(featureCount: number, random: Random) {
  const lengths = new Int32Array(featureCount).fill(1);
  const values = new Int32Array(featureCount);
  return {
    dense: normalValues(DENSE_FEATURE_COUNT, 1, random),
    batch: { featureCount, sampleCount: 1, lengths, values },
  };
}

/** Every table whole, or cut into a grid of row ranges and column ranges. */
function partitionsOf({ tables, cacheShare }: RandomCluster): PartitionChoice[] {
  return tables.flatMap(({ rowCount, embeddingDim, rowCuts, columnCuts }, i) => {
    const rows = rangesOf(rowCount, rowCuts, 1);
    const columns = rangesOf(embeddingDim, columnCuts, 16);
    return rows.flatMap(([rowStart, rowEnd]) =>
      columns.map(([columnStart, columnEnd]): PartitionChoice => {
        const bytes = (rowEnd - rowStart) * (columnEnd - columnStart) * 4;
        const cacheBytes = Math.floor(bytes * cacheShare);
        return { table: `t${i}`, rowStart, rowEnd, columnStart, columnEnd, cacheBytes };
      }),
    );
  });
}

function rangesOf(size: number, cuts: readonly number[], multiple: number): [number, number][] {
  const places = cuts.map((cut) => Math.floor((cut * size) / multiple) * multiple);
  const bounds = [...new Set([0, ...places, size])].toSorted((a, b) => a - b);
  return bounds.slice(1).map((end, i) => [bounds[i]!, end]);
}

/** A shard without a partition does not start, so there are at most as many as partitions. */
function shardIdsOf({ shardCount }: RandomCluster, choices: readonly PartitionChoice[]): string[] {
  return Array.from({ length: Math.min(shardCount, choices.length) }, (_, i) => `shard-${i}`);
}

/** Each shard gets one; the others go anywhere, and some have a replica. */
function placedOn(
  choices: readonly PartitionChoice[],
  shardIds: readonly string[],
  seed: number,
): PartitionChoice[] {
  const random = new Random(seed, "placement");
  return choices.map((choice, i) => {
    const first = shardIds[i] ?? shardIds[random.nextBelow(shardIds.length)]!;
    const second = shardIds[random.nextBelow(shardIds.length)]!;
    return { ...choice, shards: [...new Set([first, second])].toSorted() };
  });
}

/** With weights where the model takes them. */
function weighted({ manifest }: Model, batch: JaggedBatch, seed: number): JaggedBatch {
  if (manifest.features.some(({ pooling }) => pooling === "mean")) return batch;
  const random = new Random(seed, "bag weights");
  return { ...batch, weights: normalValues(batch.values.length, 1, random) };
}

function assertPooled(
  served: Float32Array,
  model: Model,
  batch: JaggedBatch,
  layout: ReturnType<typeof pooledLayoutOf>,
): void {
  const { pooled } = referencePooled(model, batch);
  assert.equal(served.length, pooled.length);
  const sums = absoluteSums(model, batch);
  for (const { columnOffset, embeddingDim, isAdded } of layout.features) {
    for (let sample = 0; sample < batch.sampleCount; sample++) {
      const start = sample * layout.width + columnOffset;
      for (let i = start; i < start + embeddingDim; i++) {
        const bound = isAdded ? ROW_SPLIT_TOLERANCE * sums[i]! : 0;
        const difference = Math.abs(served[i]! - pooled[i]!);
        assert.ok(difference <= bound, `pooled ${i}: ${served[i]} for ${pooled[i]}`);
      }
    }
  }
}

function assertProbability(
  served: Float32Array,
  model: Model,
  weights: DenseWeights,
  { dense, batch }: { readonly dense: Float32Array; readonly batch: JaggedBatch },
): void {
  const { pooled } = referencePooled(model, batch);
  const { probability } = referenceForward(weights, dense, pooled, batch.sampleCount);
  for (const [i, expected] of probability.entries()) {
    const difference = Math.abs(served[i]! - expected);
    assert.ok(difference <= PROBABILITY_TOLERANCE, `sample ${i}: ${served[i]} for ${expected}`);
  }
}
