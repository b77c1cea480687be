import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { Logger } from "../../../lib/log.js";
import type { QueryAnswer } from "../../../services/frontend/query-service.js";
import { SlowQueryLog } from "../../../services/frontend/slow-query-log.js";

const STAGES = {
  ...{ queueUs: 1, networkUs: 2, shardQueueUs: 3, memoryUs: 4, ssdUs: 5, poolUs: 6, denseUs: 7 },
  ...{ rowsHit: 8, rowsMissed: 9, blocksRead: 10, shards: [] },
};

describe("SlowQueryLog", () => {
  let nowMs = 0;
  let lines: { readonly fields: Record<string, unknown>; readonly text: string }[] = [];
  let log: SlowQueryLog;

  beforeEach(() => {
    nowMs = 1000;
    lines = [];
    const warn = (fields: Record<string, unknown>, text: string): void => {
      lines.push({ fields, text });
    };
    const clock = { nowMs: () => nowMs, wallMs: () => nowMs };
    log = new SlowQueryLog({ warn } as unknown as Logger, clock, 50);
  });

  const record = (totalUs: number, traceId = ""): void => {
    const answer = {
      totalUs,
      sampleCount: 12,
      result: { stages: STAGES },
    } as unknown as QueryAnswer;
    log.record({ protocol: "grpc", requestId: "r-1", traceId, answer });
  };

  it("says of a slow query who asked, in which trace, how much, and where the time went", () => {
    record(49_999);
    assert.deepEqual(lines, []);

    record(50_000, "abc");
    assert.deepEqual(lines, [
      {
        text: "slow query",
        fields: {
          ...{ protocol: "grpc", id: "r-1", traceId: "abc", samples: 12, totalMs: 50 },
          stages: STAGES,
        },
      },
    ]);
  });

  it("names no trace where there is none", () => {
    record(60_000);
    assert.ok(!("traceId" in lines[0]!.fields));
  });

  it("writes ten lines a second and counts the rest", () => {
    for (let i = 0; i < 25; i++) record(60_000);
    assert.equal(lines.length, 10);

    nowMs += 999;
    record(60_000);
    assert.equal(lines.length, 10);
    nowMs += 1;
    record(60_000);
    record(60_000);
    assert.deepEqual(
      lines.slice(10).map(({ fields }) => fields["unlogged"]),
      [16, undefined],
    );
  });
});
