import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BagLengthHistogram } from "../../../lib/stats/bag-length-histogram.js";

describe("BagLengthHistogram", () => {
  it("has a bin for each length below 64, empty bags too", () => {
    const histogram = new BagLengthHistogram();

    histogram.addOffsets(Int32Array.of(10, 10, 13, 16, 79));

    assert.deepEqual(histogram.bins(), [
      { lengthMin: 0, lengthMax: 0, bagCount: 1 },
      { lengthMin: 3, lengthMax: 3, bagCount: 2 },
      { lengthMin: 63, lengthMax: 63, bagCount: 1 },
    ]);
    assert.equal(histogram.emptyBagCount, 1);
    assert.equal(histogram.lengthMax, 63);
  });

  it("puts longer bags with those within 6 %, up to the longest", () => {
    for (const length of [64, 67, 68, 1000, 65_535, 65_536, 2_147_483_647]) {
      const histogram = new BagLengthHistogram();
      histogram.add(length);

      const [bin, ...others] = histogram.bins();
      assert.equal(others.length, 0);
      assert.ok(bin && bin.lengthMin <= length && length <= bin.lengthMax, `${length}`);
      assert.ok(bin.lengthMax < bin.lengthMin * 1.0626, `${length}`);
    }
  });
});
