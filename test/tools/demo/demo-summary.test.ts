import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ShardingPlan } from "../../../lib/plan/plan.js";
import { demoPaths } from "../../../tools/demo/demo-paths.js";
import { formatDemoSummary } from "../../../tools/demo/demo-summary.js";
import { latencyResult } from "../../support/latency-result.js";

const PLAN = {
  model: { name: "tiny", version: "1", hash: "0" },
  shards: [{ id: "shard-0" }, { id: "shard-1" }],
  estimate: [
    { rowBytes: 2 ** 20, cacheBytes: 2 ** 19 },
    { rowBytes: 2 ** 20, cacheBytes: 2 ** 18 },
  ],
} as unknown as ShardingPlan;

describe("formatDemoSummary()", () => {
  it("tells what was served, how fast, where time went and where files are, in few lines", () => {
    const lines = formatDemoSummary(latencyResult(), PLAN, demoPaths("demo")).split("\n");

    assert.ok(lines.length <= 10);
    const text = lines.join("\n");
    assert.match(text, /served +tiny version 1, 2\.0 MiB of rows on 2 shards, 37\.5 % of them/);
    assert.match(text, /rate +47\.6 queries\/s answered of 51\.0 offered/);
    assert.match(text, /latency +p50 50\.\d+ ms, p99 99\.\d+ ms/);
    assert.match(text, /AUC +0\.7700 served, 0\.7800 at best/);
    assert.match(text, /report +demo\/report\.html/);
    assert.match(text, /cluster up --model demo\/model/);
  });

  it("says so when nothing was answered", () => {
    const nothing = latencyResult({ latencyMs: null, stagesMs: null, auc: null });

    assert.match(formatDemoSummary(nothing, PLAN, demoPaths("demo")), /no query was answered/);
  });
});
