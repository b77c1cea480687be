import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { RowCountTable } from "../../../lib/stats/row-count-table.js";

function exactCounts(ids: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

describe("RowCountTable", () => {
  it("is exact while its rows fit, beyond the size it starts with", () => {
    const table = new RowCountTable(5000);
    const ids = Int32Array.from({ length: 20_000 }, (_, i) => (i * i) % 4999);

    table.addAll(ids, 0, ids.length);

    const { rowIds, counts } = table.toRowCounts();
    assert.deepEqual(new Map([...rowIds].map((id, i) => [id, counts[i]])), exactCounts([...ids]));
    assert.equal(table.droppedCountMax, 0);
    assert.ok(counts.every((count, i) => i === 0 || count <= counts[i - 1]!));
  });

  it("lacks no more than it says, and misses no row counted more often", () => {
    const ids = fc.array(fc.nat(60), { minLength: 1, maxLength: 400 });
    fc.assert(
      fc.property(ids, fc.integer({ min: 1, max: 20 }), (stream, rowCountMax) => {
        const table = new RowCountTable(rowCountMax);
        table.addAll(Int32Array.from(stream), 0, stream.length);

        const { rowIds, counts } = table.toRowCounts();
        const found = new Map([...rowIds].map((id, i) => [id, counts[i]!]));
        assert.ok(found.size <= rowCountMax);
        for (const [id, count] of exactCounts(stream)) {
          const lacks = count - (found.get(id) ?? 0);
          assert.ok(lacks >= 0 && lacks <= table.droppedCountMax, `row ${id} lacks ${lacks}`);
        }
      }),
    );
  });

  it("counts the rows it kept exactly the second time", () => {
    const table = new RowCountTable(4);
    const ids = Int32Array.from({ length: 999 }, (_, i) => (i % 3 === 0 ? 7 : i));
    table.addAll(ids, 0, ids.length);

    table.restart();
    table.addKnown(ids, 0, ids.length);

    const { rowIds, counts } = table.toRowCounts();
    assert.equal(rowIds[0], 7);
    assert.equal(counts[0], 334);
  });

  it("refuses a count that no uint32 holds", () => {
    const table = new RowCountTable(4);
    table.add(9, 0xffffffff);

    assert.throws(() => table.add(9), { code: "LIMIT_EXCEEDED", message: /row 9/ });
  });
});
