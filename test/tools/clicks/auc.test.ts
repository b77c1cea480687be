import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { areaUnderCurve } from "../../../tools/clicks/auc.js";

describe("areaUnderCurve()", () => {
  it("is 1 when every click scores above every other", () => {
    assert.equal(areaUnderCurve(Float32Array.of(0.1, 0.9, 0.2, 0.8), Uint8Array.of(0, 1, 0, 1)), 1);
  });

  it("is 0 when the order is turned round", () => {
    assert.equal(areaUnderCurve(Float32Array.of(0.9, 0.1), Uint8Array.of(0, 1)), 0);
  });

  it("counts ties half", () => {
    // The click at 0.5 ties with one other and is above one: 1.5 of 2 pairs.
    assert.equal(areaUnderCurve(Float32Array.of(0.5, 0.5, 0.1), Uint8Array.of(1, 0, 0)), 0.75);
  });

  it("is NaN when all labels are alike", () => {
    assert.ok(Number.isNaN(areaUnderCurve(Float32Array.of(0.1, 0.2), Uint8Array.of(1, 1))));
  });

  it("equals the share of pairs in the right order", () => {
    const sample = fc.record({ score: fc.integer({ min: 0, max: 5 }), label: fc.nat(1) });
    fc.assert(
      fc.property(fc.array(sample, { minLength: 2, maxLength: 40 }), (samples) => {
        const clicks = samples.filter(({ label }) => label === 1);
        const others = samples.filter(({ label }) => label === 0);
        fc.pre(clicks.length > 0 && others.length > 0);
        let right = 0;
        for (const click of clicks) {
          for (const other of others) right += (Math.sign(click.score - other.score) + 1) / 2;
        }

        const area = areaUnderCurve(
          Float64Array.from(samples, ({ score }) => score),
          Uint8Array.from(samples, ({ label }) => label),
        );

        assert.ok(Math.abs(area - right / (clicks.length * others.length)) < 1e-12);
      }),
    );
  });
});
