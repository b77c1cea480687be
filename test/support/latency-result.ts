import { LatencyHistogram } from "../../tools/bench/load/latency-histogram.js";
import type { LatencyResult } from "../../tools/bench/load/latency-result.js";
import { STAGES } from "../../tools/bench/load/stages.js";

/** A made-up result of 100 answered queries, latencies 1 to 100 ms, and what is given instead. */
export function latencyResult(changes: Partial<LatencyResult> = {}): LatencyResult {
  const histogram = new LatencyHistogram();
  for (let ms = 1; ms <= 100; ms++) histogram.recordMs(ms);
  const summary = histogram.summary()!;
  const stage = { p50: 1, p90: 2, p95: 3, p99: 4, p999: 5, max: 6, mean: 1.5 };
  return {
    formatVersion: 1,
    kind: "latency",
    startedAt: "2026-01-02T03:04:05.000Z",
    environment: {
      shardpoolVersion: "0.1.0",
      commit: null,
      node: "v20.20.2",
      kernel: "6.1",
      cpu: "a CPU",
      coreCount: 2,
      memoryBytes: 2 ** 33,
      loadAverageBefore: 0.5,
    },
    target: "127.0.0.1:8001",
    model: { name: "tiny", version: "1", hash: "0123456789abcdef" },
    planEpochs: [1],
    clicks: { file: "clicks.arrow", queryCount: 40, sampleCount: 200, isWhole: true },
    scenario: "server",
    schedule: null,
    window: null,
    clientCount: 1,
    generator: null,
    seed: 1,
    warmupSeconds: 2,
    seconds: 2,
    measuredSeconds: 2.1,
    endedBy: "schedule",
    queryCount: 102,
    answeredCount: 100,
    offeredQps: 51,
    achievedQps: 100 / 2.1,
    samplesPerSecond: 500 / 2.1,
    errorsByCode: { SERVER_OVERLOADED: 2 },
    errorRatio: 2 / 102,
    degradedRatio: 0,
    defaultRowCount: 0,
    latencyMs: summary,
    serviceMs: summary,
    generatorLagMs: stage,
    stagesMs: Object.fromEntries(STAGES.map(({ name }) => [name, stage])) as never,
    rowsHit: 900,
    rowsMissed: 100,
    hitRatio: 0.9,
    blocksRead: 80,
    requestBytes: 10_000,
    replyBytes: 5_000,
    auc: { served: 0.77, ceiling: 0.78, shuffled: null, sampleCount: 200 },
    cpuSecondsByProcess: { frontend: 0.5, "shard-1": 0.25, client: 0.1 },
    memoryPeakBytesByProcess: { frontend: 2e8, "shard-1": 3e8, client: 1e8 },
    slo: [{ rule: "p99<60ms", value: 99, met: false }],
    shards: [
      {
        shardId: "shard-1",
        partitionCount: 3,
        rowsHit: 900,
        rowsMissed: 100,
        blocksRead: 80,
        cpuSeconds: 0.25,
        memoryBytes: 3e8,
      },
    ],
    traces: [
      {
        index: 7,
        atSeconds: 0.5,
        latencyMs: 12,
        lagMs: 0.1,
        stagesUs: {
          ...{ client: 1000, queue: 2000, network: 500, shardQueue: 10, memory: 200 },
          ...{ ssd: 5000, pooling: 300, dense: 2500, other: 490 },
        },
        shards: [
          {
            shardId: "shard-1",
            ...{
              waitedUs: 6010,
              queueUs: 10,
              memoryUs: 200,
              ssdUs: 5000,
              poolUs: 300,
              totalUs: 5510,
            },
          },
        ],
      },
    ],
    overTime: [0, 1].map(() => ({
      dueCount: 51,
      failedCount: 1,
      answeredCount: 50,
      latencyMs: { p50: 50, p99: 99, max: 100 },
    })),
    latencyHistogram: histogram.encode(),
    serviceHistogram: histogram.encode(),
    ...changes,
  };
}
