import type { ShardSpec } from "../../lib/plan/plan.js";
import type { PartitionDraft } from "./partition-draft.js";
import { leastCacheBytesOf, memoryBytesOf, rowCountOf } from "./shard-memory.js";

/** Partitions that go to one shard together; mostly one. */
export interface PlacementUnit {
  /** Names it, for ties. */
  readonly key: string;
  readonly drafts: readonly PartitionDraft[];
  /** What is balanced: bytes, row reads or microseconds. */
  readonly load: number;
  readonly bytes: number;
  readonly rowCount: number;
  /** The smallest cache that works. */
  readonly leastCacheBytes: number;
}

/** What a shard holds so far. */
export interface ShardLoad {
  readonly spec: ShardSpec;
  readonly units: PlacementUnit[];
  load: number;
  bytes: number;
  rowCount: number;
  leastCacheBytes: number;
}

export function unitOf(
  key: string,
  drafts: readonly PartitionDraft[],
  load: number,
): PlacementUnit {
  const bytes = drafts.reduce((sum, draft) => sum + draft.bytes, 0);
  const leastCacheBytes = drafts.reduce((sum, draft) => sum + leastCacheBytesOf(draft), 0);
  return { key, drafts, load, bytes, rowCount: rowCountOf(drafts), leastCacheBytes };
}

export function emptyShards(specs: readonly ShardSpec[]): ShardLoad[] {
  return specs.map((spec) => ({
    spec,
    units: [],
    load: 0,
    bytes: 0,
    rowCount: 0,
    leastCacheBytes: 0,
  }));
}

/**
 * Places each unit on the shard that ends up least loaded for its weight and has room, most loaded
 * unit first.
 *
 * Most-loaded-first keeps the busiest of equal shards within 4/3 of the best possible (Graham, 1969)
 * while room does not bind; once it does, there is no such bound. Ties go by key and by the
 * shards' order, so the same input gives the same plan in any order.
 *
 * @returns The shards' loads, and the units that found no room.
 */
export function placeGreedy(
  units: readonly PlacementUnit[],
  specs: readonly ShardSpec[],
): { readonly shards: ShardLoad[]; readonly unplaced: PlacementUnit[] } {
  const shards = emptyShards(specs);
  const unplaced: PlacementUnit[] = [];
  for (const unit of units.toSorted(byMostLoaded)) {
    const shard = leastLoadedWithRoom(shards, unit);
    if (shard === undefined) unplaced.push(unit);
    else addUnit(shard, unit);
  }
  return { shards, unplaced };
}

export function hasRoom(shard: ShardLoad, unit: PlacementUnit): boolean {
  const memoryBytes = memoryBytesOf(
    shard.rowCount + unit.rowCount,
    shard.leastCacheBytes + unit.leastCacheBytes,
  );
  return (
    shard.bytes + unit.bytes <= shard.spec.diskBytesMax && memoryBytes <= shard.spec.memoryBytesMax
  );
}

export function addUnit(shard: ShardLoad, unit: PlacementUnit): void {
  shard.units.push(unit);
  shard.load += unit.load;
  shard.bytes += unit.bytes;
  shard.rowCount += unit.rowCount;
  shard.leastCacheBytes += unit.leastCacheBytes;
}

function leastLoadedWithRoom(
  shards: readonly ShardLoad[],
  unit: PlacementUnit,
): ShardLoad | undefined {
  let best: ShardLoad | undefined;
  let bestLoad = Number.POSITIVE_INFINITY;
  for (const shard of shards) {
    const load = (shard.load + unit.load) / shard.spec.weight;
    if (load >= bestLoad || !hasRoom(shard, unit)) continue;
    best = shard;
    bestLoad = load;
  }
  return best;
}

/** Equal loads go by bytes, so that what is hard to place comes while there is room. */
function byMostLoaded(a: PlacementUnit, b: PlacementUnit): number {
  return b.load - a.load || b.bytes - a.bytes || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
}
