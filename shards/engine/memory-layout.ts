import { ShardpoolError } from "../../lib/errors.js";
import type { ShardStore } from "../store/shard-store.js";
import { columnCountOf, describePartition, type StoredPartition } from "../store/store-catalog.js";
import {
  LRU_ENTRY_BYTES,
  PartitionCache,
  reserveCacheAreas,
  slotCountFor,
} from "./partition-cache.js";
import { loadPlacement } from "./placement.js";
import { type ScratchSizes, SLAB_BYTES_MAX, Slab, SlabLayout } from "./slab.js";

/** A partition and the row bytes of it that may stay in memory. */
export interface CachedPartition {
  readonly partition: StoredPartition;
  readonly cacheBytes: number;
}

/** The caches of all partitions and the bytes of memory they can come to. */
export interface MemoryLayout {
  readonly caches: readonly PartitionCache[];
  readonly bytes: number;
}

const SCRATCH_VALUE_COUNT = 32768;
const SCRATCH_OUT_BYTES = 1024 * 1024;
const SCRATCH_ROW_BYTES = 1024 * 1024;

/**
 * Lays the partitions' caches out in as few memories as hold them.
 *
 * @throws ShardpoolError LIMIT_EXCEEDED when one partition's cache is over a memory's size, and what
 * `loadPlacement` throws.
 */
export function layOutMemory(
  cached: readonly CachedPartition[],
  store: Pick<ShardStore, "path" | "readRowClasses">,
): MemoryLayout {
  const sizes = scratchSizesFor(cached.map(({ partition }) => partition));
  const groups = groupBySlab(cached, sizes);
  const cacheByPartition = new Map<StoredPartition, PartitionCache>();
  let bytes = 0;
  for (const group of groups) {
    const layout = new SlabLayout();
    const scratch = layout.reserveScratch(sizes);
    const areas = group.map(({ partition, cacheBytes }) =>
      reserveCacheAreas(layout, partition, slotCountFor(partition, cacheBytes)),
    );
    const slab = new Slab(layout, scratch);
    for (const [i, { partition }] of group.entries()) {
      const { placement } = areas[i]!;
      if (placement) loadPlacement(slab, placement, partition, store);
      cacheByPartition.set(partition, new PartitionCache(partition, slab, areas[i]!));
    }
    bytes += layout.bytes;
  }
  const caches = cached.map(({ partition }) => cacheByPartition.get(partition)!);
  for (const cache of caches) bytes += bookkeepingBytesOf(cache.slotCount);
  return { caches, bytes };
}

/** Memory outside the slab: the free list, the told stamps and the LRU. */
function bookkeepingBytesOf(slotCount: number): number {
  return slotCount * (4 + 4 + LRU_ENTRY_BYTES);
}

function scratchSizesFor(partitions: readonly StoredPartition[]): ScratchSizes {
  const bagBytes = Math.max(0, ...partitions.map((partition) => columnCountOf(partition) * 4));
  const rowBytes = Math.max(0, ...partitions.map((partition) => partition.rowBytes));
  return {
    valueCount: SCRATCH_VALUE_COUNT,
    outBytes: Math.max(SCRATCH_OUT_BYTES, bagBytes),
    rowBytes: Math.max(SCRATCH_ROW_BYTES, rowBytes),
  };
}

/** First fit, in the order given. */
function groupBySlab(cached: readonly CachedPartition[], sizes: ScratchSizes): CachedPartition[][] {
  const groups: { layout: SlabLayout; members: CachedPartition[] }[] = [];
  for (const entry of cached) {
    const needed = areaBytesOf(entry);
    let group = groups.find(({ layout }) => layout.bytes + needed <= SLAB_BYTES_MAX);
    if (group === undefined) {
      group = { layout: new SlabLayout(), members: [] };
      group.layout.reserveScratch(sizes);
      groups.push(group);
    }
    if (group.layout.bytes + needed > SLAB_BYTES_MAX) {
      throw new ShardpoolError(
        "LIMIT_EXCEEDED",
        `${describePartition(entry.partition)}: a cache of ${needed} bytes is over a memory's ${SLAB_BYTES_MAX}`,
      );
    }
    group.layout.reserve(needed);
    group.members.push(entry);
  }
  return groups.map(({ members }) => members);
}

function areaBytesOf({ partition, cacheBytes }: CachedPartition): number {
  const layout = new SlabLayout();
  const before = layout.bytes;
  reserveCacheAreas(layout, partition, slotCountFor(partition, cacheBytes));
  return layout.bytes - before;
}
