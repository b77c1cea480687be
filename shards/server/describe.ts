import type { LookupEngine } from "../engine/lookup-engine.js";
import type { ShardConfig } from "../shard-config.js";

/** `shardpool.v1.DescribeReply`. */
export interface WireDescription {
  readonly shardId: string;
  readonly modelHash: string;
  readonly modelName: string;
  readonly modelVersion: string;
  readonly partitions: readonly WirePartition[];
  readonly sampleCountMax: number;
  readonly valueCountMax: number;
  readonly memoryBytesMax: number;
  readonly memoryBytesResident: number;
  readonly cpuUs: number;
}

interface WirePartition {
  readonly number: number;
  readonly id: string;
  readonly table: string;
  readonly rowStart: number;
  readonly rowEnd: number;
  readonly columnStart: number;
  readonly columnEnd: number;
  readonly dtype: string;
  readonly counters: WireCounters | null;
}

interface WireCounters {
  readonly rowsHit: number;
  readonly rowsMissed: number;
  readonly blocksRead: number;
  readonly blocksEvicted: number;
  readonly blocksRefused: number;
  readonly cacheBytesResident: number;
  readonly cacheBytesMax: number;
}

/** What a shard tells of itself, its process's memory and CPU time included. */
export function describeShard(
  engine: LookupEngine,
  shardId: string,
  config: ShardConfig,
  withCounters: boolean,
): WireDescription {
  const { modelHash, modelName, modelVersion } = engine.catalog;
  const { user, system } = process.cpuUsage();
  return {
    shardId,
    modelHash,
    modelName,
    modelVersion,
    partitions: engine.partitions.map((_, number) =>
      describePartition(engine, number, withCounters),
    ),
    sampleCountMax: config.sampleCountMax,
    valueCountMax: config.valueCountMax,
    memoryBytesMax: config.memoryBytesMax ?? engine.memoryBytes,
    memoryBytesResident: process.memoryUsage.rss(),
    cpuUs: user + system,
  };
}

function describePartition(
  engine: LookupEngine,
  number: number,
  withCounters: boolean,
): WirePartition {
  const { stored, cacheBytesMax } = engine.partitions[number]!;
  const { id, table, rowStart, rowEnd, columnStart, columnEnd, dtype } = stored;
  const counters = withCounters ? { ...engine.counters(number), cacheBytesMax } : null;
  return { number, id, table, rowStart, rowEnd, columnStart, columnEnd, dtype, counters };
}
