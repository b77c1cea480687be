import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  composeCurves,
  meanCurve,
  missRatioAt,
  rowsForMissRatio,
} from "../../../lib/stats/miss-ratio-curve.js";

const curve = [
  { rows: 0, missRatio: 1 },
  { rows: 10, missRatio: 0.5 },
  { rows: 30, missRatio: 0.1 },
];

describe("miss-ratio curves", () => {
  it("are straight between points and level beyond them", () => {
    assert.equal(missRatioAt(curve, 5), 0.75);
    assert.equal(missRatioAt(curve, 20), 0.3);
    assert.equal(missRatioAt(curve, 31), 0.1);
    assert.equal(missRatioAt([{ rows: 4, missRatio: 0.6 }], 1), 0.9);
    assert.equal(missRatioAt([], 1), 1);
  });

  it("say how many rows a miss ratio takes", () => {
    assert.equal(rowsForMissRatio(curve, 0.3), 20);
    assert.equal(rowsForMissRatio(curve, 1), 0);
    assert.equal(rowsForMissRatio(curve, 0.05), null);
  });

  it("of logs in turn are averaged by reads at every size of either", () => {
    const flat = [{ rows: 20, missRatio: 0 }];

    const mean = meanCurve([
      { curve, readCount: 1 },
      { curve: flat, readCount: 3 },
    ]);

    assert.deepEqual(
      mean.map(({ rows }) => rows),
      [0, 10, 20, 30],
    );
    assert.equal(mean[1]?.missRatio, (0.5 + 3 * 0.5) / 4);
  });

  it("of two parts that are read alike need twice the rows together", () => {
    const part = { curve, readCount: 7 };

    const whole = composeCurves([part, part]);

    for (const { rows, missRatio } of whole) {
      assert.ok(Math.abs(missRatio - missRatioAt(curve, rows / 2)) < 0.01, `${rows}`);
    }
    assert.equal(whole.at(-1)?.rows, 60);
  });

  it("leave the room to the part that misses more", () => {
    const small = [
      { rows: 0, missRatio: 1 },
      { rows: 2, missRatio: 0 },
    ];

    const whole = composeCurves([
      { curve: small, readCount: 1 },
      { curve, readCount: 1 },
    ]);

    const at32 = missRatioAt(whole, 32);
    assert.ok(Math.abs(at32 - 0.05) < 0.02, `${at32}`);
  });
});
