import { featureOffsets, type JaggedBatch } from "../../../lib/jagged-batch.js";
import type { ModelManifest } from "../../../lib/model/manifest.js";
import type { PlanPartition, ShardingPlan } from "../../../lib/plan/plan.js";
import type { StreamLookup } from "../calibrate/shard-stream.js";

/** A partition and the number by which its shard knows it. */
export interface HeldPartition {
  readonly partition: PlanPartition;
  readonly number: number;
}

/**
 * The lookup that a frontend would send to one shard for a query: a segment for each feature and
 * partition of its table that the shard holds, with the row ids that lie in it.
 */
export function shardLookupOf(
  manifest: ModelManifest,
  held: readonly HeldPartition[],
  batch: JaggedBatch,
): StreamLookup {
  const offsets = featureOffsets(batch);
  const segments = manifest.features.flatMap((feature, f) =>
    held
      .filter(({ partition }) => partition.table === feature.table)
      .map(({ partition, number }) => ({
        partition: number,
        ...cutBags(batch, f, offsets[f]!, partition),
      })),
  );
  return { sampleCount: batch.sampleCount, segments };
}

/** The partitions that a shard answers for: of replicas, queries take turns. */
export function heldForQuery(
  plan: ShardingPlan,
  shardId: string,
  numbers: ReadonlyMap<string, number>,
  query: number,
): HeldPartition[] {
  return plan.partitions.flatMap((partition) => {
    const owner = partition.shards[query % partition.shards.length];
    const number = numbers.get(partition.id);
    return owner === shardId && number !== undefined ? [{ partition, number }] : [];
  });
}

function cutBags(
  batch: JaggedBatch,
  f: number,
  start: number,
  { rowStart, rowEnd }: PlanPartition,
): { lengths: Uint8Array; values: Uint8Array } {
  const { sampleCount } = batch;
  const lengths = new Uint32Array(sampleCount);
  const values: number[] = [];
  let at = start;
  for (let i = 0; i < sampleCount; i++) {
    const end = at + batch.lengths[f * sampleCount + i]!;
    const before = values.length;
    for (; at < end; at++) {
      const rowId = batch.values[at]!;
      if (rowId >= rowStart && rowId < rowEnd) values.push(rowId - rowStart);
    }
    lengths[i] = values.length - before;
  }
  return {
    lengths: new Uint8Array(lengths.buffer),
    values: new Uint8Array(Uint32Array.from(values).buffer),
  };
}
