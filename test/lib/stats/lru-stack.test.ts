import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Random } from "../../../lib/random.js";
import { LruStack } from "../../../lib/stats/lru-stack.js";

/** By the definition: a list with the last read in front. */
class PlainStack {
  rows: number[] = [];

  read(rowId: number): number {
    const distance = this.rows.indexOf(rowId);
    if (distance >= 0) this.rows.splice(distance, 1);
    this.rows.unshift(rowId);
    return distance;
  }
}

describe("LruStack", () => {
  it("gives the distances of a list with the last read in front", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30), { maxLength: 300 }), (rowIds) => {
        const stack = new LruStack();
        const plain = new PlainStack();
        for (const rowId of rowIds) assert.equal(stack.read(rowId), plain.read(rowId));
        assert.equal(stack.size, plain.rows.length);
      }),
    );
  });

  it("goes on when positions run out and when rows outgrow it", () => {
    const random = new Random(1, "stack");
    const stack = new LruStack();
    const plain = new PlainStack();

    for (let i = 0; i < 12_000; i++) {
      // At first few rows, so that positions run out; then many new ones.
      const rowId = random.nextBelow(i < 6000 ? 40 : 3000);
      assert.equal(stack.read(rowId), plain.read(rowId), `read ${i}`);
    }
  });

  it("keeps the order of the rows that are retained", () => {
    const stack = new LruStack();
    for (const rowId of [5, 1, 4, 2, 3]) stack.read(rowId);

    stack.retain((rowId) => rowId % 2 === 1);

    assert.equal(stack.size, 3);
    assert.equal(stack.read(4), -1);
    assert.equal(stack.read(5), 3);
    assert.equal(stack.read(3), 2);
  });
});
