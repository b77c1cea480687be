import type { InferReply } from "./infer-reply.js";
import {
  type HistogramSnapshot,
  LatencyHistogram,
  type LatencySummary,
} from "./latency-histogram.js";

/**
 * Where a query's time goes. The stages of one query follow each other and add up to its latency, so
 * their means add up to the mean latency (`overlapOf` tells when a server's do not); their percentiles
 * do not add up.
 */
export const STAGES = [
  { name: "client", what: "generator, its gRPC, and the way to the frontend and back" },
  { name: "queue", what: "waiting in the frontend, for fan-out and for the dense worker" },
  { name: "network", what: "slowest shard: the frontend's wait minus the shard's own time" },
  { name: "shardQueue", what: "slowest shard: waiting before it starts" },
  { name: "memory", what: "slowest shard: finding rows in memory" },
  { name: "ssd", what: "slowest shard: waiting for blocks from SQLite" },
  { name: "pooling", what: "slowest shard: summing rows" },
  { name: "dense", what: "bottom MLP, interaction, top MLP" },
  { name: "other", what: "the rest of the frontend's time: checks, routing, joining sums" },
] as const;

export type StageName = (typeof STAGES)[number]["name"];

/** The parameter of an answer that reports a stage, microseconds. */
const PARAMETER_BY_STAGE: Readonly<Record<Exclude<StageName, "client" | "other">, string>> = {
  queue: "queue_us",
  network: "network_us",
  shardQueue: "shard_queue_us",
  memory: "memory_us",
  ssd: "ssd_us",
  pooling: "pool_us",
  dense: "dense_us",
};

export type StageTimesUs = Readonly<Record<StageName, number>>;

/** Rounding to microseconds and the frontend's own clock explain this much. */
const OVERLAP_SHARE_MAX = 0.01;

/**
 * The sum of the stages' means, ms, when it is above the mean latency: the server reported stages that
 * ran side by side, and their means are no split of the latency. `undefined` when they are one.
 */
export function overlapOf(
  stagesMs: Readonly<Record<StageName, LatencySummary>>,
  latencyMeanMs: number,
): number | undefined {
  const sumMs = STAGES.reduce((sum, { name }) => sum + stagesMs[name].mean, 0);
  return sumMs > latencyMeanMs * (1 + OVERLAP_SHARE_MAX) + 0.01 ? sumMs : undefined;
}

/** Splits one query's latency into stages; `undefined` when the answer reports no times. */
export function stageTimesOf(reply: InferReply, latencyMs: number): StageTimesUs | undefined {
  const totalUs = numberOf(reply, "total_us");
  if (totalUs === undefined) return undefined;
  const times: Record<StageName, number> = {
    client: Math.max(0, latencyMs * 1000 - totalUs),
    queue: 0,
    network: 0,
    shardQueue: 0,
    memory: 0,
    ssd: 0,
    pooling: 0,
    dense: 0,
    other: totalUs,
  };
  for (const stage of Object.keys(PARAMETER_BY_STAGE) as (keyof typeof PARAMETER_BY_STAGE)[]) {
    const us = numberOf(reply, PARAMETER_BY_STAGE[stage]) ?? 0;
    times[stage] = us;
    times.other -= us;
  }
  times.other = Math.max(0, times.other);
  return times;
}

/** A whole-number parameter of an answer. */
export function numberOf(reply: InferReply, parameter: string): number | undefined {
  const value = reply.parameters.get(parameter);
  return typeof value === "number" ? value : undefined;
}

/** One histogram a stage. */
export class StageHistograms {
  readonly #byStage = new Map(STAGES.map(({ name }) => [name, new LatencyHistogram()]));

  record(times: StageTimesUs): void {
    for (const [name, histogram] of this.#byStage) histogram.recordUs(times[name]);
  }

  snapshot(): Readonly<Record<StageName, HistogramSnapshot>> {
    const entries = [...this.#byStage].map(([name, histogram]) => [name, histogram.snapshot()]);
    return Object.fromEntries(entries) as Record<StageName, HistogramSnapshot>;
  }

  addSnapshot(snapshot: Readonly<Record<StageName, HistogramSnapshot>>): void {
    for (const [name, histogram] of this.#byStage) histogram.addSnapshot(snapshot[name]);
  }

  /** `null` when no answer reported times. */
  summary(): Readonly<Record<StageName, LatencySummary>> | null {
    const entries: [string, LatencySummary][] = [];
    for (const [name, histogram] of this.#byStage) {
      const summary = histogram.summary();
      if (summary === null) return null;
      entries.push([name, summary]);
    }
    return Object.fromEntries(entries) as Record<StageName, LatencySummary>;
  }
}
