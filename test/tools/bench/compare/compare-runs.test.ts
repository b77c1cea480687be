import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compareRuns } from "../../../../tools/bench/compare/compare-runs.js";
import { formatComparison } from "../../../../tools/bench/compare/format-comparison.js";
import { splitWords } from "../../../../tools/bench/compare/split-words.js";
import type { LatencyResult } from "../../../../tools/bench/load/latency-result.js";
import { latencyResult } from "../../../support/latency-result.js";

describe("compareRuns()", () => {
  it("calls a slower B worse and a faster one better", () => {
    const fast = runs(10, 10.2, 9.9, 10.1, 10.3);
    const slow = runs(12, 12.3, 11.9, 12.1, 12.2);

    assert.equal(verdictOf(compareRuns(fast, slow, false)), "worse");
    assert.equal(verdictOf(compareRuns(slow, fast, false)), "better");
    assert.match(formatComparison(compareRuns(slow, fast, false)), /VERDICT: B is better in p50/);
  });

  it("cannot tell runs apart that overlap, nor few runs, and says which", () => {
    const mixed = compareRuns(runs(10, 12, 9, 11, 13), runs(11, 10.5, 12.5, 9.5, 12.2), false);
    const few = compareRuns(runs(10, 10, 10), runs(20, 20.1, 20.2), false);

    assert.equal(verdictOf(mixed), "cannot tell");
    assert.match(formatComparison(mixed), /VERDICT: cannot tell A and B apart/);
    assert.equal(few.metrics[0]?.reason, "fewer than 5 runs a side");
    assert.ok(Math.abs(few.metrics[0]!.ratio - 2.01) < 1e-9);
  });

  it("pairs runs taken in turns, so that drift does not hide a difference", () => {
    const drift = [10, 20, 15, 40, 12, 30, 11, 25];
    const a = runs(...drift);
    const b = runs(...drift.map((ms) => ms * 1.1));

    assert.equal(verdictOf(compareRuns(a, b, true)), "worse");
    assert.equal(verdictOf(compareRuns(a, b, false)), "cannot tell");
  });

  it("warns of what else differs", () => {
    const other = latencyResult({ model: { name: "other", version: "1", hash: "ffff" } });

    const { warnings } = compareRuns([latencyResult({ errorRatio: 0 })], [other], false);

    assert.ok(warnings.some((warning) => warning.startsWith("models differ")));
    assert.ok(warnings.some((warning) => warning.includes("failed queries")));
  });

  it("does not count the generator's own CPU time", () => {
    const { metrics } = compareRuns([latencyResult()], [latencyResult()], false);

    const cpu = metrics.find(({ metric }) => metric === "CPU time a query");
    assert.equal(cpu?.a, 7.5);
  });
});

describe("splitWords()", () => {
  it("splits as a shell does", () => {
    assert.deepEqual(splitWords(` --slo 'p99 < 60ms' --pid "a b"=3 -x`), [
      ...["--slo", "p99 < 60ms", "--pid", "a b=3", "-x"],
    ]);
    assert.deepEqual(splitWords(""), []);
    assert.throws(() => splitWords("--slo 'p99"), { code: "CONFIG_INVALID" });
  });
});

/** Results with these p50. */
function runs(...p50: number[]): LatencyResult[] {
  return p50.map((ms) => {
    const result = latencyResult();
    return { ...result, latencyMs: { ...result.latencyMs!, p50: ms } };
  });
}

function verdictOf({ metrics }: ReturnType<typeof compareRuns>): string | undefined {
  return metrics.find(({ metric }) => metric === "p50 latency")?.verdict;
}
