import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { solveNonNegative } from "../../../../tools/plan/calibrate/non-negative-least-squares.js";

function assertNear(actual: readonly number[], expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  actual.forEach((value, i) => {
    assert.ok(Math.abs(value - expected[i]!) < 1e-6, `${actual} is not ${expected}`);
  });
}

describe("solveNonNegative()", () => {
  it("finds what was put in, in units that differ by orders of magnitude", () => {
    const rows = [
      [1, 100, 0],
      [1, 50_000, 2],
      [1, 0, 7],
      [1, 7000, 40],
    ];
    const x = [5, 0.003, 2];

    assertNear(
      solveNonNegative(
        rows,
        rows.map((row) => row.reduce((sum, value, j) => sum + value * x[j]!, 0)),
      ),
      x,
    );
  });

  it("keeps at zero what would be negative, and fits the rest to that", () => {
    // Plain least squares would say 2 and -1; without the second, 1.5 is best.
    assertNear(
      solveNonNegative(
        [
          [1, 0],
          [1, 1],
        ],
        [2, 1],
      ),
      [1.5, 0],
    );
  });

  it("gives zero for what is never paid", () => {
    assertNear(solveNonNegative([[2, 0]], [4]), [2, 0]);
  });
});
