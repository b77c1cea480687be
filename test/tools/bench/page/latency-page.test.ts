import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { renderLatencyPage } from "../../../../tools/bench/page/latency-page.js";
import { latencyResult } from "../../../support/latency-result.js";

describe("renderLatencyPage()", () => {
  it("is one page with every part of the report, and nothing from elsewhere", () => {
    const page = renderLatencyPage(latencyResult());

    for (const title of [
      ...["SLO", "Latency", "Stages", "Shards", "Processes", "Errors by code", "Single queries"],
    ]) {
      assert.match(page, new RegExp(`<h2>${title}</h2>`));
    }
    assert.match(page, /✗ p99&lt;60ms/);
    assert.match(page, /SERVER_OVERLOADED/);
    assert.match(page, /shard-1/);
    assert.equal(page.match(/<svg /g)?.length, 2 * 7);
    assert.doesNotMatch(page, /<script|<link|@import|url\((?!#)|(src|href)="(?!#)/);
    const addresses = page.match(/https?:[^"\s]+/g) ?? [];
    assert.deepEqual(
      addresses.filter((address) => !address.startsWith("http://www.w3.org/")),
      [],
    );
  });

  it("says that a run was cut short", () => {
    assert.match(renderLatencyPage(latencyResult({ endedBy: "interrupt" })), /PARTIAL/);
    assert.match(renderLatencyPage(latencyResult({ endedBy: "target-lost" })), /PARTIAL/);
    assert.doesNotMatch(renderLatencyPage(latencyResult()), /PARTIAL/);
  });

  it("escapes what comes from outside", () => {
    const page = renderLatencyPage(latencyResult({ target: '<img src="x">' }));

    assert.match(page, /&lt;img src=&quot;x&quot;&gt;/);
  });

  it("stands without stages, shards, traces or any answer", () => {
    const page = renderLatencyPage(
      latencyResult({
        ...{ latencyMs: null, serviceMs: null, generatorLagMs: null, stagesMs: null },
        ...{ shards: [], traces: [], overTime: [], auc: null, hitRatio: null },
      }),
    );

    assert.match(page, /No query was answered/);
  });
});
