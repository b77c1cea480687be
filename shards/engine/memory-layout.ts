import { ShardpoolError } from "../../lib/errors.js";
import { SCAN_MEMORY_BYTES } from "../kernels/scan-values.js";
import type { ShardStore } from "../store/shard-store.js";
import type { StoredPartition } from "../store/store-catalog.js";
import { columnCountOf, describePartition } from "../store/stored-partition.js";
import { type Admission, admissionBytesOf } from "./admission/admission-policy.js";
import { type MemoryParts, totalBytesOf } from "./engine-memory.js";
import { OverflowSlots } from "./overflow-slots.js";
import {
  type CacheAreas,
  holdsAllRows,
  LRU_ENTRY_BYTES,
  PartitionCache,
  reserveCacheAreas,
  slotBytesOf,
  slotCountFor,
} from "./partition-cache.js";
import {
  loadPlacement,
  PLACED_IDS_MAX,
  Placement,
  type PlacementAreas,
  reservePlacementAreas,
} from "./placement.js";
import { KernelMemory, type ScratchSizes, SLAB_BYTES_MAX, Slab, SlabLayout } from "./slab.js";

/** A partition and the row bytes of it that may stay in memory. */
export interface CachedPartition {
  readonly partition: StoredPartition;
  readonly cacheBytes: number;
  /** Rows of it that never leave memory: the first ones in placement order. */
  readonly pinnedRows: number;
}

/** The caches of all partitions and the bytes of memory they can come to. */
export interface MemoryLayout {
  readonly caches: readonly PartitionCache[];
  /** `placement` falls when rows come to lie by row id, as theirs is wanted no more. */
  readonly parts: LaidOutParts;
}

export type LaidOutParts = Pick<MemoryParts, "rows" | "index" | "placement" | "scratch">;

const SCRATCH_VALUE_COUNT = PLACED_IDS_MAX;
const SCRATCH_OUT_BYTES = 1024 * 1024;
const SCRATCH_ROW_BYTES = 1024 * 1024;

/** A partition's cache and how many of its slots its slab has room for. */
interface SlabMember {
  readonly partition: StoredPartition;
  readonly slotCount: number;
  readonly slabSlotCount: number;
  readonly pinnedRows: number;
}

/**
 * Lays the partitions' caches out in as few memories as hold them. A cache larger than a memory has
 * one to itself, and its coldest blocks in further ones.
 *
 * @param slabBytesMax Bytes of one memory.
 * @throws ShardpoolError LIMIT_EXCEEDED when the index of one partition is over a memory's size, and
 * what `loadPlacement` throws.
 */
export function layOutMemory(
  cached: readonly CachedPartition[],
  store: Pick<ShardStore, "path" | "readRowClasses">,
  admission: Admission,
  slabBytesMax = SLAB_BYTES_MAX,
): MemoryLayout {
  const sizes = scratchSizesFor(cached.map(({ partition }) => partition));
  const cacheByPartition = new Map<StoredPartition, PartitionCache>();
  let bytes = SCAN_MEMORY_BYTES;
  const held = { rows: 0, index: 0, placement: 0 };
  for (const members of groupBySlab(cached, sizes, slabBytesMax)) {
    const layout = new SlabLayout();
    const scratch = layout.reserveScratch(sizes);
    const areas = members.map(({ partition, slotCount, slabSlotCount }) =>
      reserveCacheAreas(layout, partition, slotCount, slabSlotCount),
    );
    const slab = new Slab(layout, scratch);
    const placements = placementsOf(members, areas, slab, store);
    bytes += layout.bytes;
    for (const [i, member] of members.entries()) {
      const { partition, slotCount, slabSlotCount, pinnedRows } = member;
      const parts = { overflow: overflowOf(member, slabBytesMax), placement: placements[i] };
      const policy = { pinnedRows, admission };
      const cache = new PartitionCache(partition, slab, areas[i]!, policy, parts);
      cacheByPartition.set(partition, cache);
      const outside =
        bookkeepingBytesOf(slotCount) + admissionBytesOf(admission, partition.blockCount);
      bytes += (slotCount - slabSlotCount) * slotBytesOf(partition) + outside;
      held.rows += slotCount * slotBytesOf(partition);
      held.index += areaBytesOf(partition, slotCount, 0) + outside;
      if (areas[i]!.placement) {
        const placement = placementBytesOf(partition);
        held.placement += placement;
        held.index -= placement;
      }
    }
  }
  const caches = cached.map(({ partition }) => cacheByPartition.get(partition)!);
  return {
    caches,
    get parts() {
      const apart = new Set(caches.map(({ placementMemory }) => placementMemory));
      const apartBytes = [...apart].reduce((sum, memory) => sum + (memory?.bytes.length ?? 0), 0);
      return {
        ...held,
        placement: held.placement + apartBytes,
        scratch: bytes - totalBytesOf(held),
      };
    },
  };
}

/**
 * What turns row ids of a slab's partitions into positions. Partitions that are all in the slab want it
 * only until they are filled in row-id order, so theirs have a memory apart.
 */
function placementsOf(
  members: readonly SlabMember[],
  areas: readonly CacheAreas[],
  slab: Slab,
  store: Pick<ShardStore, "path" | "readRowClasses">,
): (Placement | undefined)[] {
  const layout = new SlabLayout();
  const idsPtr = layout.reserve(PLACED_IDS_MAX * 4);
  const areasApart = members.map(({ partition, slabSlotCount }) =>
    holdsAllRows(partition, slabSlotCount) ? reservePlacementAreas(layout, partition) : undefined,
  );
  const apart = areasApart.some(Boolean) ? new KernelMemory(layout) : slab;
  const load = (memory: KernelMemory, at: PlacementAreas, i: number, ids: number): Placement => {
    loadPlacement(memory, at, members[i]!.partition, store);
    return new Placement(memory, at, ids);
  };
  return members.map((_, i) => {
    const inSlab = areas[i]!.placement;
    if (inSlab) return load(slab, inSlab, i, slab.scratch.positionsPtr);
    const atApart = areasApart[i];
    return atApart && load(apart, atApart, i, idsPtr);
  });
}

function overflowOf(
  { partition, slotCount, slabSlotCount }: SlabMember,
  slabBytesMax: number,
): OverflowSlots | undefined {
  if (slotCount === slabSlotCount) return undefined;
  return new OverflowSlots(slotCount - slabSlotCount, slotBytesOf(partition), slabBytesMax);
}

/** Memory outside the slab: the free list, the uses told and the LRU. */
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
function groupBySlab(
  cached: readonly CachedPartition[],
  sizes: ScratchSizes,
  slabBytesMax: number,
): SlabMember[][] {
  const groups: { layout: SlabLayout; members: SlabMember[] }[] = [];
  for (const { partition, cacheBytes, pinnedRows } of cached) {
    const slotCount = slotCountFor(partition, cacheBytes);
    const needed = areaBytesOf(partition, slotCount, slotCount);
    let group = groups.find(({ layout }) => layout.bytes + needed <= slabBytesMax);
    if (group === undefined) {
      group = { layout: new SlabLayout(), members: [] };
      group.layout.reserveScratch(sizes);
      groups.push(group);
    }
    const slabSlotCount = slabSlotCountFor(partition, slotCount, slabBytesMax - group.layout.bytes);
    group.layout.reserve(areaBytesOf(partition, slotCount, slabSlotCount));
    group.members.push({ partition, slotCount, slabSlotCount, pinnedRows });
  }
  return groups.map(({ members }) => members);
}

/** How many of a partition's slots `bytes` of a slab have room for, beside its index. */
function slabSlotCountFor(partition: StoredPartition, slotCount: number, bytes: number): number {
  if (areaBytesOf(partition, slotCount, slotCount) <= bytes) return slotCount;
  const indexBytes = areaBytesOf(partition, slotCount, 0);
  const slotBytes = slotBytesOf(partition);
  // The area of slots ends on a boundary as well, at most one slot further.
  const slabSlotCount = Math.floor((bytes - indexBytes) / slotBytes) - 1;
  if (slabSlotCount < 0) {
    throw new ShardpoolError(
      "LIMIT_EXCEEDED",
      `${describePartition(partition)}: an index of ${indexBytes} bytes is over the ${bytes} a memory has room for`,
    );
  }
  return slabSlotCount;
}

function placementBytesOf(partition: StoredPartition): number {
  const layout = new SlabLayout();
  const before = layout.bytes;
  reservePlacementAreas(layout, partition);
  return layout.bytes - before;
}

function areaBytesOf(partition: StoredPartition, slotCount: number, slabSlotCount: number): number {
  const layout = new SlabLayout();
  const before = layout.bytes;
  reserveCacheAreas(layout, partition, slotCount, slabSlotCount);
  return layout.bytes - before;
}
