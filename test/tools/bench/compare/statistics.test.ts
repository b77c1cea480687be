import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "../../../../lib/random.js";
import {
  mannWhitneyP,
  median,
  ratioInterval,
  signFlipP,
} from "../../../../tools/bench/compare/statistics.js";

describe("mannWhitneyP()", () => {
  it("counts orders exactly", () => {
    // All of 4 below all of 4: 1 of 70 orders, and as one-sided the other way round.
    assert.equal(mannWhitneyP([1, 2, 3, 4], [5, 6, 7, 8]), 2 / 70);
    assert.equal(mannWhitneyP([5, 6, 7, 8], [1, 2, 3, 4]), 2 / 70);
    // U = 1: the orders with U 0 and 1.
    assert.equal(mannWhitneyP([1, 2, 3, 5], [4, 6, 7, 8]), 4 / 70);
    assert.equal(mannWhitneyP([1], [2]), 1);
  });

  it("agrees with counting every order by hand", () => {
    const a = [3, 9, 4];
    const b = [1, 5, 2, 6, 8];
    const far = uOf(a, b);
    let extreme = 0;
    let total = 0;
    for (let bits = 0; bits < 256; bits++) {
      const chosen = [...Array(8).keys()].filter((i) => (bits >> i) & 1);
      if (chosen.length !== 3) continue;
      total++;
      const others = [...Array(8).keys()].filter((i) => !chosen.includes(i));
      if (uOf(chosen, others) <= far) extreme++;
    }
    assert.ok(Math.abs(mannWhitneyP(a, b) - extreme / total) < 1e-12);
  });

  it("is 1 for what is all alike", () => {
    assert.equal(mannWhitneyP([5, 5, 5, 5], [5, 5, 5, 5]), 1);
  });

  it("cries wolf about as often as its level says", () => {
    const random = new Random(7);
    let alarms = 0;
    for (let trial = 0; trial < 2000; trial++) {
      const draw = () => Array.from({ length: 6 }, () => random.nextNormal());
      if (mannWhitneyP(draw(), draw()) < 0.05) alarms++;
    }
    assert.ok(alarms / 2000 < 0.06 && alarms / 2000 > 0.02, `${alarms} of 2000`);
  });
});

describe("signFlipP()", () => {
  it("counts sign patterns exactly", () => {
    assert.equal(signFlipP([1, 1, 1, 1, 1, 1]), 2 / 64);
    assert.equal(signFlipP([1, -1]), 1);
  });

  it("sees a small steady difference under a large drift", () => {
    const random = new Random(3);
    const drift = Array.from({ length: 8 }, () => random.nextNormal() * 100);
    const a = drift.map((ms) => 1000 + ms);
    const b = drift.map((ms, i) => 1030 + ms + (i % 2));

    assert.ok(signFlipP(a.map((value, i) => b[i]! - value)) < 0.01);
    assert.ok(mannWhitneyP(a, b) > 0.05);
  });
});

describe("ratioInterval()", () => {
  it("holds the ratio, and narrows as runs agree", () => {
    const wide = ratioInterval([8, 10, 12, 9, 11], [16, 20, 24, 18, 22]);
    const narrow = ratioInterval([9.9, 10, 10.1, 10, 10], [19.9, 20, 20.1, 20, 20]);

    for (const { low, high } of [wide, narrow]) assert.ok(low <= 2 && high >= 2);
    assert.ok(narrow.high - narrow.low < wide.high - wide.low);
  });
});

describe("median()", () => {
  it("is the middle one, or the mean of the middle two", () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 2, 3]), 2.5);
  });
});

/** The smaller of the two samples' U. */
function uOf(a: readonly number[], b: readonly number[]): number {
  let u = 0;
  for (const x of a) for (const y of b) if (x > y) u++;
  return Math.min(u, a.length * b.length - u);
}
