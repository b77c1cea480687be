import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "../../../lib/random.js";
import { EXACT_COUNT_MAX, expectReads } from "../../../services/planner/expected-reads.js";

const ROWS = 30_000;
const READS = 60_000;

/** Counts of rows by row id in a log of independent reads, skewed by `rowCount u^skew`. */
function drawCounts(seed: number, skew: number): Uint32Array {
  const random = new Random(seed, "expected reads");
  const counts = new Uint32Array(ROWS);
  for (let i = 0; i < READS; i++) counts[Math.floor(ROWS * random.nextFloat() ** skew)]!++;
  return counts;
}

const listedOf = (counts: Uint32Array): Uint32Array =>
  counts
    .filter((count) => count > 0)
    .sort()
    .reverse();

describe("expectReads()", () => {
  for (const skew of [1, 2, 4]) {
    it(`foretells the reads of the next log by count, skew ${skew}`, () => {
      const seen = drawCounts(1, skew);
      const next = drawCounts(2, skew);
      const listed = listedOf(seen);

      const { byCount, unlistedReads } = expectReads(listed, 0, ROWS - listed.length);

      for (let count = 0; count <= 4; count++) {
        const rows = [...seen.keys()].filter((row) => seen[row] === count);
        const reads = rows.reduce((sum, row) => sum + next[row]!, 0);
        const expected = count === 0 ? unlistedReads : rows.length * byCount[count]!;
        // Five standard deviations, of the rows counted once more and of the next log's reads.
        const slack = 5 * (Math.sqrt((count + 1) * expected) + Math.sqrt(expected));
        assert.ok(Math.abs(expected - reads) < slack, `count ${count}: ${expected}, ${reads}`);
      }
    });
  }

  it("keeps the sum of all reads", () => {
    for (const skew of [1, 3, 6]) {
      const listed = listedOf(drawCounts(3, skew));

      const { byCount, discount, unlistedReads } = expectReads(listed, 0, ROWS - listed.length);

      const total = listed.reduce(
        (sum, count) => sum + (count <= EXACT_COUNT_MAX ? byCount[count]! : count - discount),
        unlistedReads,
      );
      assert.ok(Math.abs(total - READS) < 1e-6 * READS, `skew ${skew}: ${total}`);
    }
  });

  it("believes counts where all rows are listed, or the tail was counted", () => {
    const listed = Uint32Array.of(9, 1, 1, 1);

    assert.equal(expectReads(listed, 0, 0).byCount[9], 9);
    assert.deepEqual(
      { ...expectReads(listed, 7, 10), byCount: undefined },
      { byCount: undefined, discount: 0, unlistedReads: 7 },
    );
  });
});
