import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { judgeEstimates } from "../../../../tools/plan/check/judge-estimates.js";

const of = (estimatedUs: number, measuredUs: number) => ({ estimatedUs, measuredUs });

describe("judgeEstimates()", () => {
  it("says how far off estimates are, and whether their proportions are right", () => {
    const { correlation, meanError, scaledError } = judgeEstimates(
      [of(10, 20), of(20, 40), of(40, 80)],
      [],
    );

    assert.ok(Math.abs(correlation - 1) < 1e-12);
    assert.equal(meanError, 0.5);
    assert.equal(scaledError, 0);
  });

  it("finds the strategies whose order is wrong, ties aside", () => {
    const { disagreements } = judgeEstimates(
      [of(1, 1)],
      [
        { strategy: "a", ...of(100, 300) },
        { strategy: "b", ...of(200, 200) },
        // Within a tenth of b: no order.
        { strategy: "c", ...of(205, 190) },
      ],
    );

    assert.deepEqual(disagreements, [
      { promised: "a", better: "b" },
      { promised: "a", better: "c" },
    ]);
  });
});
