import type { Model } from "../../lib/model/model-directory.js";
import {
  COLUMN_SPLIT_MULTIPLE,
  type PlanPartition,
  partitionIdOf,
  type ShardingPlan,
  sealPlan,
} from "../../lib/plan/plan.js";

/**
 * A plan that splits what can be split: every table into `rowParts` ranges of rows, and each of these into
 * ranges of 16 columns; handed out to the shards in turns, cache for half of the rows.
 */
export function splitPlan(model: Model, shardCount: number, rowParts: number): ShardingPlan {
  const { manifest, hash } = model;
  const partitions: PlanPartition[] = [];
  for (const { name, rowCount, embeddingDim } of manifest.tables) {
    for (const [rowStart, rowEnd] of rangesOf(rowCount, Math.ceil(rowCount / rowParts))) {
      for (const [columnStart, columnEnd] of rangesOf(embeddingDim, COLUMN_SPLIT_MULTIPLE)) {
        const place = { table: name, rowStart, rowEnd, columnStart, columnEnd };
        const rowBytes = (columnEnd - columnStart) * 4;
        partitions.push({
          id: partitionIdOf({ modelHash: hash, statsHash: null, ...place }),
          ...place,
          shards: [`shard-${partitions.length % shardCount}`],
          cacheBytes: Math.ceil((rowEnd - rowStart) / 2) * rowBytes,
          pinnedRows: 0,
        });
      }
    }
  }
  return sealPlan({
    formatVersion: 1,
    epoch: 1,
    model: { name: manifest.name, version: manifest.version, hash },
    statsHash: null,
    strategy: "split",
    shards: Array.from({ length: shardCount }, (_, i) => ({
      ...{ id: `shard-${i}`, memoryBytesMax: 1e9, diskBytesMax: 1e9, weight: 1 },
    })),
    partitions,
    estimate: [],
  });
}

function rangesOf(end: number, step: number): (readonly [number, number])[] {
  return Array.from({ length: Math.ceil(end / step) }, (_, i) => [
    i * step,
    Math.min(end, (i + 1) * step),
  ]);
}
