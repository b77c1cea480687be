import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "../../../lib/random.js";
import { drawBagOffsets } from "../../../tools/clicks/bag-offsets.js";
import { drawQuerySizes } from "../../../tools/clicks/query-sizes.js";

const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);

describe("drawQuerySizes()", () => {
  it("gives MLPerf's sizes in each twenty queries, in another order", () => {
    const sizes = drawQuerySizes(10_800, new Random(1));

    assert.equal(sizes.length, 40);
    assert.equal(sum(sizes.slice(0, 20)), 5400);
    assert.equal(sizes.slice(0, 20).filter((size) => size === 200).length, 12);
    assert.notDeepEqual(sizes.slice(0, 20), sizes.slice(20));
  });

  it("cuts the last query to what is left", () => {
    const sizes = drawQuerySizes(5401, new Random(1));

    assert.deepEqual(sizes.slice(20), [1]);
    assert.equal(sum(drawQuerySizes(37, new Random(2))), 37);
  });
});

describe("drawBagOffsets()", () => {
  it("gives every bag a whole pooling factor", () => {
    assert.deepEqual([...drawBagOffsets(3, 4, new Random(1))], [0, 4, 8, 12]);
  });

  it("mixes the two lengths around a broken pooling factor", () => {
    const offsets = drawBagOffsets(10_000, 2.25, new Random(1));
    const lengths = Array.from(offsets.subarray(1), (end, i) => end - offsets[i]!);

    assert.deepEqual([...new Set(lengths)].sort(), [2, 3]);
    assert.ok(Math.abs(offsets.at(-1)! / 10_000 - 2.25) < 0.02, `${offsets.at(-1)}`);
  });
});
