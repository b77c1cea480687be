import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import type { JaggedBatch } from "../../../lib/jagged-batch.js";
import type { ModelFeature } from "../../../lib/model/manifest.js";
import type { Model } from "../../../lib/model/model-directory.js";
import { referencePooled } from "../../../lib/model/reference-pooled.js";
import { assertClose } from "../../support/assert-close.js";
import { readGoldenVariant } from "../../support/golden-variant.js";
import { randomWeights } from "../../support/random-weights.js";
import { tempFolder } from "../../support/temp-folder.js";
import { writeTestModel } from "../../support/write-test-model.js";

const folder = tempFolder();

/** Row r of the table is `[r, -r / 2]`. */
const ROW_COUNT = 10;
const ROWS = Float32Array.from({ length: ROW_COUNT * 2 }, (_, i) =>
  i % 2 === 0 ? i / 2 : (1 - i) / 4,
);

const FEATURES: readonly ModelFeature[] = [
  { name: "summed", table: "t", pooling: "sum", outOfRange: "error" },
  { name: "averaged", table: "t", pooling: "mean", outOfRange: "skip" },
  { name: "replaced", table: "t", pooling: "sum", outOfRange: "default", defaultRow: 4 },
];

describe("referencePooled()", () => {
  let model: Model;
  /** The same with sums only, which weights go with. */
  let sums: Model;

  before(async () => {
    model = await makeModel("mean", FEATURES);
    sums = await makeModel("sum", [FEATURES[0]!, FEATURES[2]!]);
  });

  it("sums, averages and replaces, each feature in its columns, each sample in its row", () => {
    const batch = batchOf([
      [[1, 2], []],
      [[3, 5], [9]],
      [[0], [10, 1]],
    ]);

    const { pooled, defaultRowCount } = referencePooled(model, batch);

    const sample0 = [3, -1.5, 4, -2, 0, 0];
    const sample1 = [0, 0, 9, -4.5, 5, -2.5];
    assert.deepEqual(pooled, Float32Array.from([...sample0, ...sample1]));
    assert.equal(defaultRowCount, 1);
  });

  it("counts repeated row ids as often as they come", () => {
    const { pooled } = referencePooled(model, batchOf([[[9, 9, 9]], [[2, 2]], [[]]]));

    assert.deepEqual(pooled, Float32Array.of(27, -13.5, 2, -1, 0, 0));
  });

  it("divides a mean by the row ids that are left when some are skipped", () => {
    const { pooled, defaultRowCount } = referencePooled(
      model,
      batchOf([[[]], [[2, -1, 4, 10]], [[]]]),
    );

    assert.deepEqual(pooled, Float32Array.of(0, 0, 3, -1.5, 0, 0));
    assert.equal(defaultRowCount, 2);
  });

  it("takes a mean of skipped row ids only as empty", () => {
    const { pooled } = referencePooled(model, batchOf([[[]], [[-1, 10]], [[]]]));

    assert.deepEqual(pooled, new Float32Array(6));
  });

  it("multiplies rows by their weights, the replaced ones too", () => {
    const batch = batchOf([[[2, 6]], [[-5]]]);

    const { pooled } = referencePooled(sums, { ...batch, weights: Float32Array.of(0.5, -2, 3) });

    assert.deepEqual(pooled, Float32Array.of(-11, 5.5, 12, -6));
  });

  it("adds in bag order and rounds each step to float32", async () => {
    const big = 2 ** 24;
    const rounding = await makeModel("rounding", [FEATURES[0]!], Float32Array.of(big, 1, 1, 0));

    const bigFirst = referencePooled(rounding, batchOf([[[0, 1, 1]]])).pooled;
    const bigLast = referencePooled(rounding, batchOf([[[1, 1, 0]]])).pooled;

    assert.deepEqual(bigFirst, Float32Array.of(big, 1));
    assert.deepEqual(bigLast, Float32Array.of(big + 2, 1));
  });

  it("rounds a weighted row before it adds it", async () => {
    const weight = Math.fround(1.1);
    const tiny = await makeModel("weighted", [FEATURES[0]!], Float32Array.of(0.1, 1, 3, 1));
    const batch = { ...batchOf([[[0, 1]]]), weights: Float32Array.of(weight, weight) };

    const { pooled } = referencePooled(tiny, batch);

    const first = Math.fround(weight * Math.fround(0.1));
    const expected = Math.fround(first + Math.fround(weight * 3));
    assert.equal(pooled[0], expected);
  });

  it("refuses a row id out of range where the feature says so, naming feature, sample and id", () => {
    for (const rowId of [-1, ROW_COUNT]) {
      assert.throws(
        () =>
          referencePooled(
            model,
            batchOf([
              [[1], [rowId]],
              [[], []],
              [[], []],
            ]),
          ),
        {
          code: "ROW_OUT_OF_RANGE",
          message: new RegExp(`feature summed, sample 1: row id ${rowId} `),
        },
      );
    }
  });

  it("refuses weights on a mean feature", () => {
    const batch = { ...batchOf([[[1]], [[]], [[]]]), weights: Float32Array.of(1) };

    assert.throws(() => referencePooled(model, batch), { code: "REQUEST_INVALID" });
  });

  it("refuses lengths that do not add up", () => {
    const batch = { ...batchOf([[[1]], [[]], [[]]]), values: Int32Array.of(1, 2) };

    assert.throws(() => referencePooled(model, batch), { code: "REQUEST_INVALID" });
  });

  for (const interaction of ["dot", "cat"] as const) {
    it(`pools as PyTorch does in the ${interaction} model`, async () => {
      const golden = await readGoldenVariant(interaction);
      const names = golden.tables.map((_, k) => `t${k}`);
      const reference = await writeTestModel(join(folder, interaction), {
        tables: golden.tables.map((rows, k) => ({
          name: `t${k}`,
          rowCount: rows.length / golden.dim,
          embeddingDim: golden.dim,
          dtype: "float32",
        })),
        features: names.map((name) => ({
          name,
          table: name,
          pooling: "sum",
          outOfRange: "error",
        })),
        rows: new Map(golden.tables.map((rows, k) => [`t${k}`, rows])),
        weights: golden.weights,
        dense: golden.dense,
        batch: golden.batch,
      });

      const { pooled } = referencePooled(reference, golden.batch);

      assertClose(pooled, golden.pooled, 1e-6);
    });
  }
});

/** A model whose features all read one table of dim 2. */
async function makeModel(
  name: string,
  features: readonly ModelFeature[],
  rows = ROWS,
): Promise<Model> {
  const featureCount = features.length;
  return await writeTestModel(join(folder, name), {
    tables: [{ name: "t", rowCount: rows.length / 2, embeddingDim: 2, dtype: "float32" }],
    features,
    rows: new Map([["t", rows]]),
    weights: randomWeights(
      {
        interaction: "dot",
        denseFeatureCount: 1,
        embeddingDims: features.map(() => 2),
        bottomHidden: [],
        topHidden: [],
      },
      1,
    ),
    dense: Float32Array.of(1),
    batch: batchOf(Array.from({ length: featureCount }, () => [[1]])),
  });
}

/** Bags by feature, then by sample. */
function batchOf(bags: readonly (readonly (readonly number[])[])[]): JaggedBatch {
  return {
    featureCount: bags.length,
    sampleCount: bags[0]!.length,
    lengths: Int32Array.from(bags.flatMap((samples) => samples.map((bag) => bag.length))),
    values: Int32Array.from(bags.flat(2)),
  };
}
