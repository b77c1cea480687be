import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatTrace } from "../../../../tools/bench/load/format-trace.js";
import { parseShardSpans } from "../../../../tools/bench/load/query-trace.js";
import { traceBars } from "../../../../tools/bench/load/trace-bars.js";
import { latencyResult } from "../../../support/latency-result.js";

const trace = latencyResult().traces[0]!;

describe("traceBars()", () => {
  it("draws a shard's parts within the time the frontend waited for it", () => {
    const bars = traceBars(trace);

    const shard = bars.find(({ name }) => name === "shard-1")!;
    const parts = bars.filter(({ level }) => level === 2);
    assert.ok(Math.abs(shard.ms - 6.01) < 1e-9);
    assert.ok(Math.abs(parts.reduce((sum, { ms }) => sum + ms, 0) - shard.ms) < 1e-9);
    assert.deepEqual(
      parts.map(({ name }) => name),
      ["network", "shard queue", "memory", "SSD", "pooling", "other", "network back"],
    );
  });

  it("takes the slowest shard's stages where an answer tells no more", () => {
    const bars = traceBars({ ...trace, shards: [] });

    const end = bars.at(-1)!;
    assert.ok(Math.abs(end.startMs + end.ms - trace.latencyMs) < 1e-9);
    assert.equal(bars.find(({ name }) => name === "SSD")?.ms, 5);
  });
});

describe("formatTrace()", () => {
  it("has a line for each part, with its milliseconds", () => {
    const text = formatTrace(trace);

    assert.match(text, /^query 7 at 0.500 s: 12.00 ms\n/);
    assert.match(text, /\n {2}shard-1 +6.010 +█+\n/);
    assert.match(text, /\n {4}SSD +5.000 +▓+\n/);
  });
});

describe("parseShardSpans()", () => {
  it("reads the frontend's parameter, whatever a shard is called", () => {
    assert.deepEqual(parseShardSpans("shard-0:9,1,2,3,1,7;a:b:5,0,0,0,0,4"), [
      {
        shardId: "shard-0",
        ...{ waitedUs: 9, queueUs: 1, memoryUs: 2, ssdUs: 3, poolUs: 1, totalUs: 7 },
      },
      {
        shardId: "a:b",
        ...{ waitedUs: 5, queueUs: 0, memoryUs: 0, ssdUs: 0, poolUs: 0, totalUs: 4 },
      },
    ]);
    assert.deepEqual(parseShardSpans(undefined), []);
  });
});
