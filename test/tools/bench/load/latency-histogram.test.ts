import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { LatencyHistogram } from "../../../../tools/bench/load/latency-histogram.js";

describe("LatencyHistogram", () => {
  it("gives percentiles within a thousandth of the exact ones", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 60_000_000 }), { minLength: 1, maxLength: 300 }),
        fc.constantFrom(50, 90, 95, 99, 99.9, 100),
        (valuesUs, percentile) => {
          const histogram = new LatencyHistogram();
          for (const us of valuesUs) histogram.recordUs(us);

          const sorted = valuesUs.toSorted((a, b) => a - b);
          const rank = Math.max(1, Math.round((percentile / 100) * sorted.length));
          const exactMs = sorted[Math.min(rank, sorted.length) - 1]! / 1000;
          const found = histogram.percentileMs(percentile);
          const next = (sorted[Math.min(rank, sorted.length - 1)] ?? 0) / 1000;
          assert.ok(found >= exactMs * 0.999 - 0.001, `${found} for ${exactMs}`);
          assert.ok(found <= Math.max(exactMs, next) * 1.001 + 0.001, `${found} for ${exactMs}`);
        },
      ),
    );
  });

  it("gives no percentile above the greatest value", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 60_000_000 }), { minLength: 1, maxLength: 50 }),
        (valuesUs) => {
          const histogram = new LatencyHistogram();
          for (const us of valuesUs) histogram.recordUs(us);

          const { p99, p999, max } = histogram.summary()!;
          assert.ok(p99 <= max && p999 <= max, `${p99}, ${p999}, max ${max}`);
        },
      ),
    );
  });

  it("keeps the exact mean", () => {
    const histogram = new LatencyHistogram();
    for (const us of [1, 10_001, 20_002]) histogram.recordUs(us);

    assert.equal(histogram.meanMs, 30.004 / 3);
  });

  it("merges as if all had been recorded in one", () => {
    const [a, b, both] = [new LatencyHistogram(), new LatencyHistogram(), new LatencyHistogram()];
    for (let us = 1; us < 5000; us++) {
      (us % 3 === 0 ? a : b).recordUs(us * us);
      both.recordUs(us * us);
    }

    a.add(b);

    assert.deepEqual(a.summary(), both.summary());
  });

  it("reads back what it encodes", () => {
    const histogram = new LatencyHistogram();
    for (const ms of [0.01, 1, 1, 250, 9999]) histogram.recordMs(ms);

    const copy = LatencyHistogram.decode(histogram.encode());

    assert.equal(copy.count, 5);
    assert.equal(copy.percentileMs(50), histogram.percentileMs(50));
    assert.ok(Math.abs(copy.maxMs - histogram.maxMs) < histogram.maxMs / 1000);
  });

  it("has no summary when nothing was recorded", () => {
    assert.equal(new LatencyHistogram().summary(), null);
  });

  it("keeps a value beyond its range at the range's end", () => {
    const histogram = new LatencyHistogram();
    histogram.recordMs(1e9);
    histogram.recordMs(-5);

    assert.ok(Math.abs(histogram.maxMs - 3_600_000) / 3_600_000 < 0.001);
    assert.equal(histogram.percentileMs(1), 0);
  });
});
