import assert from "node:assert/strict";
import { truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type GoldenRequests, readGolden, writeGolden } from "../../../lib/model/golden.js";
import { type NpyArray, npyArray } from "../../../lib/npy/npy-dtype.js";
import { readNpz, writeNpz } from "../../../lib/npy/npz.js";
import { SMALL_GOLDEN, SMALL_MODEL } from "../../support/small-model.js";
import { tempFolder } from "../../support/temp-folder.js";

describe("writeGolden() and readGolden()", () => {
  const path = join(tempFolder(), "golden.npz");

  it("give back requests with weights and without logit", async () => {
    const { logit, ...rest } = SMALL_GOLDEN;
    const weights = Float32Array.from(SMALL_GOLDEN.batch.values, (id) => id / 2);
    const golden: GoldenRequests = { ...rest, batch: { ...SMALL_GOLDEN.batch, weights } };

    await writeGolden(path, golden, SMALL_MODEL);

    assert.deepEqual(await readGolden(path, SMALL_MODEL), golden);
  });

  it("refuses to write arrays of a wrong size", async () => {
    const golden = { ...SMALL_GOLDEN, pooled: new Float32Array(3) };

    await assert.rejects(writeGolden(path, golden, SMALL_MODEL), RangeError);
  });
});

describe("readGolden()", () => {
  const path = join(tempFolder(), "golden.npz");

  const changes: [
    what: string,
    message: RegExp,
    change: (arrays: Map<string, NpyArray>) => void,
  ][] = [
    ["an array that is missing", /no array pooled/, (arrays) => arrays.delete("pooled")],
    ["an array too many", /array extra/, (arrays) => arrays.set("extra", floats([1], 0))],
    [
      "another number of features",
      /lengths .* \[4, 2\]/,
      (arrays) => arrays.set("lengths", ints([3, 2], 0)),
    ],
    [
      "another pooled width",
      /pooled .* \[2, 16\]/,
      (arrays) => arrays.set("pooled", floats([2, 8], 0)),
    ],
    ["another dtype", /dense is <i4/, (arrays) => arrays.set("dense", ints([2, 2], 0))],
    ["lengths beyond the values", /bag of 9/, (arrays) => arrays.set("lengths", ints([4, 2], 9))],
    ["negative lengths", /bag of -1/, (arrays) => arrays.set("lengths", ints([4, 2], -1))],
    ["lengths below the values", /add up to 8/, (arrays) => arrays.set("lengths", ints([4, 2], 1))],
    [
      "a row id out of range",
      /row id 5, its table has 5/,
      (arrays) => arrays.set("values", ints([9], 5)),
    ],
    ["a negative row id", /row id -3/, (arrays) => arrays.set("values", ints([9], -3))],
    ["no samples", /0 samples/, (arrays) => arrays.set("probability", floats([0, 1], 0))],
  ];
  for (const [what, message, change] of changes) {
    it(`refuses ${what}`, async () => {
      await writeGolden(path, SMALL_GOLDEN, SMALL_MODEL);
      const arrays = await readNpz(path);
      change(arrays);
      await writeNpz(path, arrays);

      await assert.rejects(readGolden(path, SMALL_MODEL), { code: "FILE_CORRUPT", message });
    });
  }

  it("refuses an archive cut short", async () => {
    await writeGolden(path, SMALL_GOLDEN, SMALL_MODEL);
    truncateSync(path, 500);

    await assert.rejects(readGolden(path, SMALL_MODEL), { code: "FILE_CORRUPT" });
  });
});

function ints(shape: readonly number[], value: number): NpyArray {
  return npyArray("<i4", shape, new Int32Array(shape.reduce((a, b) => a * b, 1)).fill(value));
}

function floats(shape: readonly number[], value: number): NpyArray {
  return npyArray("<f4", shape, new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value));
}
