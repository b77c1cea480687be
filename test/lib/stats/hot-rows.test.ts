import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hotRowsFor } from "../../../lib/stats/hot-rows.js";
import { heaviestFirst } from "../../../lib/stats/row-counts.js";

const table = (rowBytes: number, counts: readonly number[]) => ({
  rowBytes,
  counts: heaviestFirst(
    Int32Array.from(counts, (_, rowId) => rowId),
    Uint32Array.from(counts),
  ),
});

describe("hotRowsFor()", () => {
  it("takes rows by reads a byte, over all tables", () => {
    const tables = [table(100, [50, 10]), table(10, [20, 4, 4])];

    assert.deepEqual(hotRowsFor(tables, 88, 0.2), { rowCount: 1, bytes: 10 });
    assert.deepEqual(hotRowsFor(tables, 88, 0.5), { rowCount: 2, bytes: 110 });
    assert.deepEqual(hotRowsFor(tables, 88, 1), { rowCount: 5, bytes: 230 });
  });

  it("does not know what is beyond the list", () => {
    assert.equal(hotRowsFor([table(1, [5])], 10, 0.9), null);
  });
});
