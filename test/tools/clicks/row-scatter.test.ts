import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RowScatter } from "../../../tools/clicks/row-scatter.js";

describe("RowScatter", () => {
  for (const rowCount of [1, 2, 3, 5, 64, 1000, 70_001]) {
    it(`gives each of ${rowCount} rows one place`, () => {
      const scatter = new RowScatter(rowCount, 7);
      const seen = new Uint8Array(rowCount);

      for (let place = 0; place < rowCount; place++) seen[scatter.rowAt(place)]! += 1;

      assert.ok(seen.every((count) => count === 1));
    });
  }

  it("gives rows of the largest table", () => {
    const rowCount = 2 ** 31 - 1;
    const scatter = new RowScatter(rowCount, 7);

    for (let place = rowCount - 100; place < rowCount; place++) {
      const row = scatter.rowAt(place);
      assert.ok(row >= 0 && row < rowCount, `row ${row}`);
    }
  });

  it("does not put the hottest rows beside each other", () => {
    const scatter = new RowScatter(100_000, 7);
    const rows = Array.from({ length: 100 }, (_, place) => scatter.rowAt(place)).sort(
      (a, b) => a - b,
    );

    const neighbours = rows.filter((row, i) => row - (rows[i - 1] ?? -9) === 1);

    assert.ok(neighbours.length <= 2, `${neighbours.length} neighbours`);
  });

  it("orders rows by its seed", () => {
    const order = (seed: number): number[] =>
      Array.from({ length: 20 }, (_, place) => new RowScatter(1000, seed).rowAt(place));

    assert.deepEqual(order(1), order(1));
    assert.notDeepEqual(order(1), order(2));
  });
});
