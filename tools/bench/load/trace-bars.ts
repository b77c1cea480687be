import type { QueryTrace } from "./query-trace.js";

/** One bar of a query's waterfall, milliseconds from the moment it was to be sent. */
export interface TraceBar {
  readonly name: string;
  readonly startMs: number;
  readonly ms: number;
  /** 1 for a part of the query, 2 for what a shard did within it. */
  readonly level: 1 | 2;
}

/**
 * A query's waterfall. Durations are measured; where a bar starts follows from the order in which
 * things happen, since no two processes' clocks are compared: half of the client's time comes before
 * the frontend and half after it, half of a shard's network before the shard.
 */
export function traceBars(trace: QueryTrace): TraceBar[] {
  const { stagesUs, lagMs } = trace;
  const bars: TraceBar[] = [];
  let at = 0;
  const add = (name: string, ms: number, level: 1 | 2 = 1): void => {
    bars.push({ name, startMs: at, ms, level });
    at += ms;
  };
  const clientMs = Math.max(0, stagesUs.client / 1000 - lagMs);
  if (lagMs > 0) add("sent late", lagMs);
  add("client out", clientMs / 2);
  add("queue", stagesUs.queue / 1000);
  const lookupAt = at;
  if (trace.shards.length === 0) addSlowestShard(trace, add);
  else {
    for (const shard of trace.shards) {
      at = lookupAt;
      const networkUs = Math.max(0, shard.waitedUs - shard.totalUs);
      const { shardId, queueUs, memoryUs, ssdUs, poolUs, totalUs } = shard;
      bars.push({ name: shardId, startMs: lookupAt, ms: shard.waitedUs / 1000, level: 1 });
      add("network", networkUs / 2000, 2);
      add("shard queue", queueUs / 1000, 2);
      add("memory", memoryUs / 1000, 2);
      add("SSD", ssdUs / 1000, 2);
      add("pooling", poolUs / 1000, 2);
      add("other", Math.max(0, totalUs - queueUs - memoryUs - ssdUs - poolUs) / 1000, 2);
      add("network back", networkUs / 2000, 2);
    }
    at = lookupAt + Math.max(...trace.shards.map(({ waitedUs }) => waitedUs)) / 1000;
  }
  add("dense", stagesUs.dense / 1000);
  add("frontend", stagesUs.other / 1000);
  add("client back", clientMs / 2);
  return bars;
}

/** What every answer tells of the slowest shard alone. */
function addSlowestShard(
  { stagesUs }: QueryTrace,
  add: (name: string, ms: number, level?: 1 | 2) => void,
): void {
  add("network", stagesUs.network / 1000);
  add("shard queue", stagesUs.shardQueue / 1000);
  add("memory", stagesUs.memory / 1000);
  add("SSD", stagesUs.ssd / 1000);
  add("pooling", stagesUs.pooling / 1000);
}
