import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "../../../lib/random.js";
import { ZipfRanks } from "../../../tools/clicks/zipf-ranks.js";

const DRAW_COUNT = 200_000;

describe("ZipfRanks", () => {
  for (const exponent of [0.5, 1, 1.05, 2]) {
    it(`draws ranks in proportion to (k + 1)^-${exponent}`, () => {
      const rankCount = 50;
      const ranks = new ZipfRanks(rankCount, exponent);
      const random = new Random(11);
      const counts = new Float64Array(rankCount);

      for (let i = 0; i < DRAW_COUNT; i++) counts[ranks.next(random)]! += 1;

      const weights = Array.from({ length: rankCount }, (_, k) => (k + 1) ** -exponent);
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      weights.forEach((weight, k) => {
        const expected = (DRAW_COUNT * weight) / total;
        const error = Math.abs(counts[k]! - expected);
        assert.ok(error < 5 * Math.sqrt(expected), `rank ${k}: ${counts[k]}, expected ${expected}`);
      });
    });
  }

  it("gives the only rank there is", () => {
    assert.equal(new ZipfRanks(1, 1.2).next(new Random(1)), 0);
  });
});
