import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DTYPES } from "../../../../lib/model/dtype.js";
import { Random } from "../../../../lib/random.js";
import { CALIBRATION_SHAPES } from "../../../../tools/plan/calibrate/calibration-shapes.js";
import {
  type FittedCosts,
  fitCosts,
  fittedUs,
} from "../../../../tools/plan/calibrate/fit-costs.js";

const pointsFrom = (ns: number) =>
  [16, 64, 128].map((columns, i) => ({ columns, ns: ns * (i + 1) }));

const TRUE_COSTS: FittedCosts = {
  ...{ messageUs: 21, segmentUs: 1.5, bagNs: 40, answerByteNs: 0.45 },
  rowHitNs: {
    float32: pointsFrom(20),
    float16: pointsFrom(17),
    int8: pointsFrom(14),
    int4: pointsFrom(11),
  },
};

function assertWithin(fitted: FittedCosts, share: number): void {
  const pairs: [string, number, number][] = (
    ["messageUs", "segmentUs", "bagNs", "answerByteNs"] as const
  ).map((key) => [key, fitted[key], TRUE_COSTS[key]]);
  for (const dtype of DTYPES) {
    TRUE_COSTS.rowHitNs[dtype].forEach(({ columns, ns }, i) => {
      pairs.push([`${dtype} x ${columns}`, fitted.rowHitNs[dtype][i]?.ns ?? 0, ns]);
    });
  }
  for (const [name, actual, expected] of pairs) {
    assert.ok(Math.abs(actual / expected - 1) < share, `${name}: ${actual}, not ${expected}`);
  }
}

describe("fitCosts()", () => {
  it("tells every cost apart by the shapes that are measured", () => {
    const measured = CALIBRATION_SHAPES.map((shape) => ({
      shape,
      cpuUs: fittedUs(TRUE_COSTS, shape),
    }));

    assertWithin(fitCosts(measured), 0.01);
  });

  it("is not bent by a lookup that was disturbed, nor by a little noise", () => {
    const random = new Random(1, "noise");
    const measured = CALIBRATION_SHAPES.map((shape, i) => {
      const noise = 1 + 0.01 * random.nextNormal();
      return { shape, cpuUs: fittedUs(TRUE_COSTS, shape) * noise * (i === 3 ? 3 : 1) };
    });

    assertWithin(fitCosts(measured), 0.25);
  });
});
