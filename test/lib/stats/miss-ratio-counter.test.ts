import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "../../../lib/random.js";
import { MissRatioCounter } from "../../../lib/stats/miss-ratio-counter.js";
import { composeCurves, missRatioAt } from "../../../lib/stats/miss-ratio-curve.js";

const READS = 60_000;

/** Row ids of ways to read a table that curves differ by. */
const TRACES: Readonly<Record<string, (random: Random, i: number) => number>> = {
  uniform: (random) => random.nextBelow(8000),
  skewed: (random) => Math.floor(8000 * random.nextFloat() ** 6),
  "in a circle": (_, i) => i % 5000,
  "moving on": (random, i) => Math.floor(i / 10) + random.nextBelow(2000),
  "a hot row and a cold crowd": (random) =>
    random.nextFloat() < 0.6 ? 7 : 10 + random.nextBelow(20_000),
};

function traceOf(name: string, seed: number): Int32Array {
  const random = new Random(seed, name);
  return Int32Array.from({ length: READS }, (_, i) => TRACES[name]!(random, i));
}

function curveOf(trace: Int32Array, sampledRowsMax: number) {
  const counter = new MissRatioCounter(sampledRowsMax);
  for (let start = 0; start < trace.length; start += 1000) {
    counter.addAll(trace, start, start + 1000);
  }
  return counter.result();
}

/** Misses of an LRU cache of `rows` rows: a Map keeps its keys in the order they were set. */
function simulatedMissRatio(trace: Int32Array, rows: number): number {
  const cache = new Map<number, true>();
  let misses = 0;
  for (const rowId of trace) {
    if (!cache.delete(rowId)) misses++;
    cache.set(rowId, true);
    if (cache.size > rows) cache.delete(cache.keys().next().value!);
  }
  return misses / trace.length;
}

describe("MissRatioCounter", () => {
  for (const name of Object.keys(TRACES)) {
    it(`is an LRU cache's miss ratio when it follows every row: ${name}`, () => {
      const trace = traceOf(name, 1);

      const result = curveOf(trace, Number.POSITIVE_INFINITY);

      assert.equal(result.missRatioMethod, "exact");
      assert.equal(result.distinctRowCount, new Set(trace).size);
      for (const { rows, missRatio } of result.missRatioCurve.filter((_, i) => i % 8 === 1)) {
        assert.ok(Math.abs(missRatio - simulatedMissRatio(trace, rows)) < 1e-9, `${rows} rows`);
      }
    });

    it(`stays within its stated error when it samples: ${name}`, () => {
      for (const seed of [1, 2, 3]) {
        const trace = traceOf(name, seed);
        const exact = curveOf(trace, Number.POSITIVE_INFINITY);

        const sampled = curveOf(trace, 1000);

        assert.equal(sampled.missRatioMethod, "sampled");
        assert.ok(sampled.missRatioError !== null && sampled.missRatioError < 0.25);
        for (const { rows, missRatio } of sampled.missRatioCurve) {
          const error = Math.abs(missRatio - missRatioAt(exact.missRatioCurve, rows));
          assert.ok(error <= sampled.missRatioError, `seed ${seed}, ${rows} rows: ${error}`);
        }
        const distinctError =
          Math.abs(sampled.distinctRowCount - exact.distinctRowCount) / exact.distinctRowCount;
        assert.ok(distinctError <= sampled.distinctRowError, `seed ${seed}: ${distinctError}`);
      }
    });
  }

  it("follows fewer rows of a small table that is read a great deal, within its error", () => {
    const random = new Random(4, "small table");
    const trace = Int32Array.from({ length: 1_300_000 }, () =>
      Math.floor(6000 * random.nextFloat() ** 3),
    );
    const exact = curveOf(trace, Number.POSITIVE_INFINITY);

    const sampled = curveOf(trace, 8192);

    assert.equal(sampled.missRatioMethod, "sampled");
    assert.ok(sampled.sampleRate < 0.6 && sampled.sampleRate > 0.3, `${sampled.sampleRate}`);
    for (const { rows, missRatio } of sampled.missRatioCurve) {
      const error = Math.abs(missRatio - missRatioAt(exact.missRatioCurve, rows));
      assert.ok(error <= (sampled.missRatioError ?? 0), `${rows} rows: ${error}`);
    }
  });

  it("of parts that share no row composes to the curve of one cache over both", () => {
    const random = new Random(5, "parts");
    const even = (): number => 2 * Math.floor(4000 * random.nextFloat() ** 4);
    const odd = (): number => 2 * random.nextBelow(1500) + 1;
    const whole = Int32Array.from({ length: READS }, () =>
      random.nextFloat() < 0.7 ? even() : odd(),
    );
    const parts = [0, 1].map((side) => whole.filter((rowId) => rowId % 2 === side));
    // Whole runs: curveOf() counts by the thousand.
    const curves = parts.map((part) => {
      const run = part.subarray(0, Math.floor(part.length / 1000) * 1000);
      const curve = curveOf(run, Number.POSITIVE_INFINITY).missRatioCurve;
      return { curve, readCount: part.length };
    });

    const composed = composeCurves(curves);

    const exact = curveOf(whole, Number.POSITIVE_INFINITY).missRatioCurve;
    for (const { rows, missRatio } of exact) {
      const error = Math.abs(missRatioAt(composed, rows) - missRatio);
      assert.ok(error < 0.02, `${rows} rows: ${error}`);
    }
  });

  it("says nothing of a table that was not read", () => {
    const result = new MissRatioCounter().result();

    assert.deepEqual(result.missRatioCurve, []);
    assert.equal(result.missRatioMethod, "none");
  });

  it("misses every read when no row comes twice", () => {
    const counter = new MissRatioCounter();
    counter.addAll(Int32Array.of(1, 2, 3), 0, 3);

    assert.equal(missRatioAt(counter.result().missRatioCurve, 1e6), 1);
  });
});
