import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatLatencyReport } from "../../../../tools/bench/load/format-latency-report.js";
import { renderLatencyPage } from "../../../../tools/bench/page/latency-page.js";
import { latencyResult } from "../../../support/latency-result.js";

/** Nine stages of 1.5 ms each, 13.5 ms together, in a mean latency of `mean`. */
const withMean = (mean: number) =>
  latencyResult({ latencyMs: { p50: 9, p90: 9, p95: 9, p99: 9, p999: 9, max: 9, mean } });

describe("formatLatencyReport()", () => {
  it("shows each stage's share of the mean latency where the stages are a split of it", () => {
    const report = formatLatencyReport(withMean(13.5));

    assert.match(report, /ssd .* 11\.1 %/);
    assert.match(report, /means add up to the mean latency/);
  });

  it("shows no shares where the stages overlap, and says why, on the page too", () => {
    const result = withMean(9);
    const told = /stages overlap: their means add up to 13\.50 ms, the mean latency is 9\.000 ms/;

    const report = formatLatencyReport(result);
    assert.match(report, told);
    assert.doesNotMatch(report, /share|means add up to the mean latency/);
    const page = renderLatencyPage(result);
    assert.match(page, told);
    assert.doesNotMatch(page, /together they are the mean latency/);
    assert.match(renderLatencyPage(withMean(13.5)), /together they are the mean latency/);
  });

  it("says when the generator itself was late, on the page too", () => {
    const late = { p50: 1, p90: 1, p95: 2, p99: 5, p999: 5, max: 5, mean: 1 };
    const told = /the generator itself was late, at p99 by 56 % of the latency/;

    assert.match(formatLatencyReport({ ...withMean(9), generatorLagMs: late }), told);
    assert.match(renderLatencyPage({ ...withMean(9), generatorLagMs: late }), told);
    const onTime = { ...withMean(9), generatorLagMs: { ...late, p99: 0.8 } };
    assert.doesNotMatch(formatLatencyReport(onTime), /generator itself/);
    assert.doesNotMatch(renderLatencyPage(onTime), /generator itself/);
  });
});
