import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { boundariesByReads } from "../../../services/planner/row-boundaries.js";
import { heaviestFirst } from "../../support/plan-cases.js";

describe("boundariesByReads()", () => {
  it("cuts where the reads are, not where the rows are", () => {
    const counts = heaviestFirst([50, 50, 50, 50, 1, 1, 1, 1]);

    assert.deepEqual(boundariesByReads(8, counts, 0, [0.5, 0.5]), [0, 2, 8]);
  });

  it("spreads reads of unlisted rows evenly", () => {
    const counts = heaviestFirst([100]);

    // Row 0 has 100 of 200 reads, the other 100 lie over 100 rows.
    assert.deepEqual(boundariesByReads(100, counts, 100, [0.75, 0.25]), [0, 50, 100]);
  });

  it("cuts rows evenly when nothing is known", () => {
    assert.deepEqual(
      boundariesByReads(90, heaviestFirst([]), 1, [1 / 3, 1 / 3, 1 / 3]),
      [0, 30, 60, 90],
    );
  });

  it("gives a row that has more than its share a range of its own", () => {
    const counts = heaviestFirst([1, 1, 97, 1]);

    assert.deepEqual(boundariesByReads(4, counts, 0, [0.3, 0.4, 0.3]), [0, 2, 3, 4]);
  });

  it("refuses more ranges than rows", () => {
    assert.throws(() => boundariesByReads(1, heaviestFirst([]), 1, [0.5, 0.5]), RangeError);
  });

  it("is as near to the shares as whole rows allow, across many cells", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(9), { minLength: 1, maxLength: 6000 }),
        fc.integer({ min: 1, max: 8 }),
        (rowCounts, wantedParts) => {
          fc.pre(rowCounts.some((value) => value > 0));
          const parts = Math.min(wantedParts, rowCounts.length);
          const shares = Array.from({ length: parts }, () => 1 / parts);

          const found = boundariesByReads(rowCounts.length, heaviestFirst(rowCounts), 0, shares);

          assert.equal(found.length, parts + 1);
          assert.ok(found.every((row, i) => i === 0 || row > found[i - 1]!));
          assert.deepEqual([found[0], found.at(-1)], [0, rowCounts.length]);
          assertNear(rowCounts, found);
        },
      ),
    );
  });
});

/** A boundary is off by half the heaviest row at most, unless a range would have been empty. */
function assertNear(rowCounts: readonly number[], boundaries: readonly number[]): void {
  const parts = boundaries.length - 1;
  const total = rowCounts.reduce((sum, value) => sum + value, 0);
  boundaries.slice(1, -1).forEach((row, i) => {
    const below = rowCounts.slice(0, row).reduce((sum, value) => sum + value, 0);
    const wanted = ((i + 1) / parts) * total;
    const isForced = row - boundaries[i]! === 1 || rowCounts.length - row === parts - 1 - i;
    assert.ok(isForced || Math.abs(below - wanted) <= 4.5 + 1e-6, `${below} of ${wanted}`);
  });
}
