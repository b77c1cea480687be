import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "../../../lib/random.js";
import { orderReads } from "../../../tools/clicks/row-times.js";

const ROW_COUNT = 500;
const rowIds = Int32Array.from({ length: ROW_COUNT }, (_, i) => i * 7);
const counts = Uint32Array.from({ length: ROW_COUNT }, (_, i) => 1 + (i % 40));
const windowShare = 0.01;

function order(locality: number, seed = 3): Int32Array {
  return orderReads(rowIds, counts, { locality, windowShare }, new Random(seed));
}

/** Share of further reads whose row was last read at most a window ago. */
function shareWithinWindow(reads: Int32Array): number {
  const lastAt = new Map<number, number>();
  let further = 0;
  let near = 0;
  reads.forEach((row, at) => {
    const last = lastAt.get(row);
    lastAt.set(row, at);
    if (last === undefined) return;
    further++;
    if (at - last <= windowShare * reads.length) near++;
  });
  return near / further;
}

describe("orderReads()", () => {
  for (const locality of [0, 0.7]) {
    it(`reads each row as often as asked at locality ${locality}`, () => {
      const found = new Map<number, number>();

      for (const row of order(locality)) found.set(row, (found.get(row) ?? 0) + 1);

      assert.equal(found.size, ROW_COUNT);
      rowIds.forEach((row, i) => {
        assert.equal(found.get(row), counts[i]);
      });
    });
  }

  it("repeats rows within the window as often as asked, beyond what chance does", () => {
    const chance = shareWithinWindow(order(0));
    const half = shareWithinWindow(order(0.5));
    const nearlyAll = shareWithinWindow(order(0.9));

    assert.ok(chance < 0.35, `${chance}`);
    assert.ok(half > 0.5 && half < 0.75, `${half}`);
    assert.ok(nearlyAll > 0.85, `${nearlyAll}`);
  });

  it("spreads a row over the whole log without locality", () => {
    const reads = orderReads(
      Int32Array.of(1, 2),
      Uint32Array.of(1000, 9000),
      { locality: 0, windowShare },
      new Random(5),
    );

    const quarters = [0, 1, 2, 3].map(
      (q) => reads.subarray(q * 2500, (q + 1) * 2500).filter((row) => row === 1).length,
    );

    for (const count of quarters) assert.ok(count > 190 && count < 310, `${quarters}`);
  });

  it("is decided by its seed", () => {
    assert.deepEqual(order(0.5, 1), order(0.5, 1));
    assert.notDeepEqual(order(0.5, 1), order(0.5, 2));
  });
});
