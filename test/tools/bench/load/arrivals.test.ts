import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "../../../../lib/random.js";
import { constantRate, poissonArrivals } from "../../../../tools/bench/load/arrivals.js";

describe("poissonArrivals()", () => {
  it("spaces arrivals by exponential gaps", () => {
    const qps = 200;
    for (const seed of [1, 2, 3]) {
      const dueMs = poissonArrivals(constantRate(qps, 50), new Random(seed));

      // Kolmogorov and Smirnov's bound at a level of 0.001 is 1.95 / sqrt(n).
      const gaps = gapsOf(dueMs);
      const distance = distanceFromExponential(gaps, 1000 / qps);
      assert.ok(distance < 1.95 / Math.sqrt(gaps.length), `seed ${seed}: distance ${distance}`);
    }
  });

  it("is told from arrivals at equal gaps by the same test", () => {
    const gaps = Float64Array.from({ length: 10_000 }, () => 5);

    assert.ok(distanceFromExponential(gaps, 5) > 0.3);
  });

  it("offers the same load whatever the seed", () => {
    for (let seed = 0; seed < 20; seed++) {
      const dueMs = poissonArrivals(constantRate(33.3, 10), new Random(seed));

      assert.equal(dueMs.length, 333);
      assert.ok(dueMs.every((ms, i) => ms >= (i === 0 ? 0 : dueMs[i - 1]!) && ms <= 10_000));
    }
  });

  it("gives the same moments for the same seed, and others for another", () => {
    const first = poissonArrivals(constantRate(100, 1), new Random(5));

    assert.deepEqual(poissonArrivals(constantRate(100, 1), new Random(5)), first);
    assert.notDeepEqual(poissonArrivals(constantRate(100, 1), new Random(6)), first);
  });

  it("follows a rate that changes", () => {
    const segments = [
      { seconds: 10, qpsStart: 100, qpsEnd: 100 },
      { seconds: 10, qpsStart: 100, qpsEnd: 500 },
      { seconds: 10, qpsStart: 0, qpsEnd: 0 },
      { seconds: 10, qpsStart: 1000, qpsEnd: 0 },
    ];

    const dueMs = poissonArrivals(segments, new Random(1));

    assert.equal(dueMs.length, 9000);
    const between = (from: number, to: number): number =>
      dueMs.filter((ms) => ms >= from * 1000 && ms < to * 1000).length;
    assertNear(between(0, 10), 1000);
    assertNear(between(10, 15), 1000);
    assertNear(between(15, 20), 2000);
    assert.equal(between(20, 30), 0);
    assertNear(between(30, 35), 3750);
    assertNear(between(35, 40), 1250);
  });

  it("gives none at no rate", () => {
    assert.equal(poissonArrivals(constantRate(0, 10), new Random(1)).length, 0);
    assert.equal(poissonArrivals([], new Random(1)).length, 0);
  });
});

function gapsOf(dueMs: Float64Array): Float64Array {
  return dueMs.slice(1).map((ms, i) => ms - dueMs[i]!);
}

/** Largest difference between the gaps' distribution and the exponential one. */
function distanceFromExponential(gaps: Float64Array, meanMs: number): number {
  let distance = 0;
  const sorted = gaps.toSorted();
  sorted.forEach((gap, i) => {
    const expected = 1 - Math.exp(-gap / meanMs);
    const above = (i + 1) / sorted.length - expected;
    distance = Math.max(distance, above, expected - i / sorted.length);
  });
  return distance;
}

/** Within five standard deviations of a Poisson count. */
function assertNear(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 5 * Math.sqrt(expected), `${actual} of ${expected}`);
}
