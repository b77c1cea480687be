import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  heaviestFirst,
  reuseBinsOf,
  staticMissRatioCurveOf,
} from "../../../lib/stats/row-counts.js";

describe("row counts", () => {
  it("sort heaviest first, ties by row id, counts above 65535 too", () => {
    const rowIds = Int32Array.of(2, 3, 5, 8, 9, 11, 12);
    const counts = Uint32Array.of(1, 70_000, 3, 0, 3, 4_000_000_000, 65_535);

    assert.deepEqual(heaviestFirst(rowIds, counts), {
      rowIds: Int32Array.of(11, 3, 12, 5, 9, 2),
      counts: Uint32Array.of(4_000_000_000, 70_000, 65_535, 3, 3, 1),
    });
  });

  it("fill the reuse bins, short of what unlisted rows could change", () => {
    const counts = heaviestFirst(Int32Array.of(0, 1, 2, 3), Uint32Array.of(65, 64, 2, 1));

    assert.deepEqual(
      reuseBinsOf(counts, 0).map(({ above, rowCount, readCount }) => [above, rowCount, readCount]),
      [
        [64, 1, 65],
        [32, 2, 129],
        [16, 2, 129],
        [8, 2, 129],
        [4, 2, 129],
        [2, 2, 129],
        [1, 3, 131],
      ],
    );
    assert.equal(reuseBinsOf(counts, 17).length, 2);
  });

  it("give the curve of the best fixed rows, the tail spread evenly", () => {
    const counts = heaviestFirst(Int32Array.of(0, 1), Uint32Array.of(60, 20));

    assert.deepEqual(
      staticMissRatioCurveOf(counts, 2, 20),
      [
        { rows: 0, missRatio: 1 },
        { rows: 1, missRatio: 0.4 },
        { rows: 2, missRatio: 1 - 0.8 },
        { rows: 3, missRatio: 1 - 0.9 },
        { rows: 4, missRatio: 0 },
      ].map(({ rows, missRatio }) => ({ rows, missRatio: 1 - (1 - missRatio) })),
    );
  });
});
