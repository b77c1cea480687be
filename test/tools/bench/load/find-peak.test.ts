import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findPeak, type PeakPurpose } from "../../../../tools/bench/load/find-peak.js";

const LIMITS = { qpsStart: 10, qpsMin: 1, qpsMax: 1000, tolerance: 0.05, confirmationCount: 2 };

describe("findPeak()", () => {
  it("finds the highest rate within the tolerance, from below, and confirms it", async () => {
    for (const limit of [1, 3.3, 10, 77, 999]) {
      const tried: { qps: number; purpose: PeakPurpose }[] = [];

      const peak = await findPeak(async (qps, purpose) => {
        tried.push({ qps, purpose });
        return qps <= limit;
      }, LIMITS);

      assert.ok(peak !== null && peak <= limit && peak * 1.0501 >= limit, `${peak} for ${limit}`);
      assert.deepEqual(
        tried.slice(-2).map(({ qps, purpose }) => [qps, purpose]),
        [
          [peak, "confirm"],
          [peak, "confirm"],
        ],
      );
    }
  });

  it("stops at the most it may offer", async () => {
    const tried: number[] = [];

    const peak = await findPeak(async (qps) => {
      tried.push(qps);
      return true;
    }, LIMITS);

    assert.equal(peak, 1000);
    assert.equal(Math.max(...tried), 1000);
  });

  it("gives up when not even the least rate will do", async () => {
    const tried: number[] = [];

    const peak = await findPeak(async (qps) => {
      tried.push(qps);
      return false;
    }, LIMITS);

    assert.equal(peak, null);
    assert.deepEqual(tried, [10, 5, 2.5, 1.25, 1]);
  });

  it("lowers a peak that does not pass its confirmation", async () => {
    const peak = await findPeak(
      async (qps, purpose) => qps <= (purpose === "confirm" ? 70 : 80),
      LIMITS,
    );

    assert.ok(peak !== null && peak <= 70 && peak > 60, `${peak}`);
  });
});
