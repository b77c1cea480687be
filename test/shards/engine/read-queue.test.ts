import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ReadQueue } from "../../../shards/engine/read-queue.js";

describe("ReadQueue", () => {
  it("gives numbers back in the order they came, however they come and go", () => {
    const steps = fc.array(fc.tuple(fc.nat({ max: 700 }), fc.nat({ max: 700 })), { maxLength: 20 });
    fc.assert(
      fc.property(steps, (rounds) => {
        const queue = new ReadQueue();
        const expected: number[] = [];
        let next = 0;
        for (const [pushed, taken] of rounds) {
          for (let i = 0; i < pushed; i++) {
            queue.push(next);
            expected.push(next++);
          }
          for (let i = Math.min(taken, expected.length); i > 0; i--) {
            assert.equal(queue.shift(), expected.shift());
          }
          assert.equal(queue.length, expected.length);
        }
      }),
      { numRuns: 50 },
    );
  });

  it("is empty after it was cleared", () => {
    const queue = new ReadQueue();
    queue.push(1);
    queue.clear();
    queue.push(2);
    assert.equal(queue.length, 1);
    assert.equal(queue.shift(), 2);
  });
});
