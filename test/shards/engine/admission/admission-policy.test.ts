import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createAdmission } from "../../../../shards/engine/admission/admission-policy.js";

describe("createAdmission()", () => {
  it("all: lets every block in", () => {
    assert.equal(createAdmission("all", 4, 1).admits(0, 1), true);
  });

  it("second-touch: lets a block in when it comes again within as many refusals as slots", () => {
    const policy = createAdmission("second-touch", 10, 3);

    assert.equal(policy.admits(7, 0), false);
    assert.equal(policy.admits(8, 0), false);
    assert.equal(policy.admits(9, 0), false);

    assert.equal(policy.admits(7, 0), true);
    assert.equal(policy.admits(7, 0), false);
  });

  it("second-touch: forgets a block after as many refusals as slots", () => {
    const policy = createAdmission("second-touch", 10, 3);

    for (const block of [6, 7, 8, 9]) assert.equal(policy.admits(block, 0), false);

    assert.equal(policy.admits(6, 0), false);
  });

  it("tiny-lfu: lets a block in that is read more than the one that would leave", () => {
    const policy = createAdmission("tiny-lfu", 100, 1);
    policy.recordMiss(98, 2);
    policy.recordMiss(99, 3);

    assert.equal(policy.admits(99, 98), true);
    assert.equal(policy.admits(98, 99), false);
    assert.equal(policy.admits(98, 98), false);
  });

  it("tiny-lfu: halves every count once in ten touches a block", () => {
    const policy = createAdmission("tiny-lfu", 100, 1);
    policy.recordMiss(99, 8);
    // With these, 1000 touches are counted: the hand has been round once.
    for (let i = 0; i < 999; i++) policy.recordMiss(i % 50, 1);
    policy.recordMiss(98, 5);

    assert.equal(policy.admits(98, 99), true, "8 were halved");
  });

  it("tiny-lfu: counts far more reads than a counter holds", () => {
    const policy = createAdmission("tiny-lfu", 1000, 1);

    policy.recordHits(500, 2 ** 32 - 1);
    policy.recordMiss(501, 30);

    assert.equal(policy.admits(500, 501), true);
  });

  it("tiny-lfu: keeps the hottest of few blocks whose rows are all read hundreds of times a lookup", () => {
    const policy = createAdmission("tiny-lfu", 7, 3);

    const lookUp = (): boolean[] => {
      for (const hot of [0, 1, 2]) policy.recordHits(hot, 300);
      return [3, 4, 5, 6].flatMap((cold) => {
        policy.recordMiss(cold, 100);
        return [0, 1, 2].map((hot) => policy.admits(cold, hot));
      });
    };
    lookUp();

    for (let lookup = 1; lookup < 20; lookup++) {
      assert.deepEqual(lookUp(), new Array(12).fill(false), `lookup ${lookup}`);
    }
  });
});
