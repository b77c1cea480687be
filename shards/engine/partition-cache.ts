import { LRUCache } from "lru-cache";
import { type PoolKernels, poolKernelsFor } from "../kernels/kernels.js";
import type { StoredPartition } from "../store/store-catalog.js";
import { blockRowBytesOf, columnCountOf, rowCountOf } from "../store/stored-partition.js";
import {
  type Admission,
  type AdmissionPolicy,
  createAdmission,
} from "./admission/admission-policy.js";
import type { OverflowSlots } from "./overflow-slots.js";
import { type Placement, type PlacementAreas, reservePlacementAreas } from "./placement.js";
import type { KernelMemory, Slab, SlabLayout } from "./slab.js";

/** lru-cache's own memory an entry; measured. */
export const LRU_ENTRY_BYTES = 77;

/** In the index of blocks: not in memory. What lies below names the block's pending read. */
const ABSENT = -1;

/** Blocks an eviction may find used since the LRU last heard of them before one has to go anyway. */
const SECOND_CHANCES_MAX = 64;

/** Where a partition's index and slots lie in its slab. */
export interface CacheAreas {
  readonly slotCount: number;
  /** Slots that lie in the slab; the others are overflow. */
  readonly slabSlotCount: number;
  readonly slotByBlockPtr: number;
  readonly usesBySlotPtr: number;
  readonly slotsPtr: number;
  /**
   * Where row ids are turned into positions; absent when they are the same, or will be once all rows are
   * in memory.
   */
  readonly placement: PlacementAreas | undefined;
}

/** What a partition keeps in memory beside what its lookups bring in. */
export interface CachePolicy {
  /** Rows that never leave: the first in placement order, rounded up to whole blocks. */
  readonly pinnedRows: number;
  readonly admission: Admission;
}

/** What a partition's cache has beside its areas of the slab. */
export interface CacheParts {
  /** The slots that lie outside the slab. */
  readonly overflow?: OverflowSlots | undefined;
  /** Turns row ids into positions; absent when they are the same. */
  readonly placement?: Placement | undefined;
}

/** Row bytes of a whole block, which is what a slot holds. */
export function slotBytesOf(partition: StoredPartition): number {
  return partition.rowsPerBlock * partition.rowBytes;
}

/** How many slots `cacheBytes` pay for; all blocks when they pay for all rows. */
export function slotCountFor(partition: StoredPartition, cacheBytes: number): number {
  if (cacheBytes >= rowCountOf(partition) * partition.rowBytes) return partition.blockCount;
  return Math.min(partition.blockCount, Math.floor(cacheBytes / slotBytesOf(partition)));
}

export function reserveCacheAreas(
  layout: SlabLayout,
  partition: StoredPartition,
  slotCount: number,
  slabSlotCount: number,
): CacheAreas {
  return {
    slotCount,
    slabSlotCount,
    slotByBlockPtr: layout.reserve(partition.blockCount * 4),
    usesBySlotPtr: layout.reserve(slotCount * 4),
    slotsPtr: layout.reserve(slabSlotCount * slotBytesOf(partition)),
    placement: holdsAllRows(partition, slabSlotCount)
      ? undefined
      : reservePlacementAreas(layout, partition),
  };
}

/** Whether a slab has room for every row of a partition: then they come to lie in it by row id. */
export function holdsAllRows(partition: StoredPartition, slabSlotCount: number): boolean {
  return slabSlotCount === partition.blockCount;
}

/**
 * The memory tier of one partition: which of its blocks are in memory, and where.
 *
 * A hit costs an index read and a count of uses on the slot. Recency reaches lru-cache later, when it has
 * to name a block that leaves: one that was used since is told to be recent and the next oldest is
 * asked. So a lookup that only hits pays nothing for the LRU. With room for every block nothing ever
 * leaves, and there is no LRU at all; pinned blocks never enter it.
 *
 * A partition whose rows all fit the slab can be brought in whole, in row-id order (`row-id-order.ts`).
 * Then a row's address comes from its id alone: no index, no placement and no uses.
 */
export class PartitionCache {
  readonly partition: StoredPartition;
  readonly rowCount: number;
  readonly columnCount: number;
  readonly slab: Slab;
  readonly slotCount: number;
  /** The partition's first blocks, which hold its most read rows: once in memory, they stay. */
  readonly pinnedBlockCount: number;
  readonly #areas: CacheAreas;
  readonly #overflow: OverflowSlots | undefined;
  #placement: Placement | undefined;
  #order: "placement" | "filling" | "row-id" = "placement";
  readonly #rowsShift: number;
  readonly #slotByBlock: Int32Array;
  /** Row reads since the slot's block came, modulo 2^32. */
  readonly #usesBySlot: Uint32Array;
  /** Of them those that the LRU and the admission policy have heard of. */
  readonly #toldUsesBySlot: Uint32Array;
  readonly #freeSlots: Int32Array;
  #freeCount: number;
  readonly #lru: LRUCache<number, number> | undefined;
  readonly #kernels: PoolKernels;
  readonly #admission: AdmissionPolicy | undefined;
  /** Whether all slots are for pinned blocks. */
  readonly #pinsAll: boolean;
  #evictedCount = 0;
  #refusedCount = 0;
  #rowsHit = 0;
  #rowsMissed = 0;
  #blocksRead = 0;

  constructor(
    partition: StoredPartition,
    slab: Slab,
    areas: CacheAreas,
    { pinnedRows, admission }: CachePolicy,
    { overflow, placement }: CacheParts = {},
  ) {
    const { slotCount, slotByBlockPtr, usesBySlotPtr } = areas;
    const { buffer } = slab.bytes;
    this.partition = partition;
    this.rowCount = rowCountOf(partition);
    this.columnCount = columnCountOf(partition);
    this.slab = slab;
    this.slotCount = slotCount;
    this.#areas = areas;
    this.#overflow = overflow;
    this.#placement = placement;
    this.#rowsShift = Math.log2(partition.rowsPerBlock);
    this.#slotByBlock = new Int32Array(buffer, slotByBlockPtr, partition.blockCount).fill(ABSENT);
    this.#usesBySlot = new Uint32Array(buffer, usesBySlotPtr, slotCount);
    this.#toldUsesBySlot = new Uint32Array(slotCount);
    // Slots are taken from the last to the first, as preloading takes blocks: the hottest ones come to
    // lie in the slab and not in the overflow.
    this.#freeSlots = new Int32Array(slotCount);
    this.#freeCount = this.#freeAll();
    this.#kernels = poolKernelsFor(slab.kernels, partition.dtype);
    this.pinnedBlockCount = Math.min(slotCount, Math.ceil(pinnedRows / partition.rowsPerBlock));
    const lruCount = slotCount - this.pinnedBlockCount;
    this.#pinsAll = lruCount === 0;
    if (lruCount > 0 && slotCount < partition.blockCount) {
      this.#admission = createAdmission(admission, partition.blockCount, lruCount);
      this.#lru = new LRUCache({
        max: lruCount,
        dispose: (slot, block) => this.#handBack(slot, block),
      });
    }
  }

  get residentBlockCount(): number {
    return this.slotCount - this.#freeCount;
  }

  get isFull(): boolean {
    return this.#freeCount === 0;
  }

  isResident(block: number): boolean {
    return this.#order === "row-id" || this.#slotByBlock[block]! >= 0;
  }

  /** The rows of a block that has a slot, where they lie. */
  rowsInSlotOf(block: number): Uint8Array | undefined {
    const slot = this.#slotByBlock[block]!;
    if (slot < 0) return undefined;
    const { slabSlotCount, slotsPtr } = this.#areas;
    if (slot >= slabSlotCount) return this.#overflow!.rowsOf(slot - slabSlotCount);
    const start = slotsPtr + slot * slotBytesOf(this.partition);
    return this.slab.bytes.subarray(start, start + slotBytesOf(this.partition));
  }

  /** The read of an absent block that `setPending` has noted, if it is under way. */
  pendingOf(block: number): number | undefined {
    const slot = this.#slotByBlock[block]!;
    return slot < ABSENT ? ABSENT - 1 - slot : undefined;
  }

  /** Notes that a block which is absent is being read. @param pending A number from 0 up. */
  setPending(block: number, pending: number): void {
    this.#slotByBlock[block] = ABSENT - 1 - pending;
  }

  /** The block's read is over. Nothing happens when another one was noted since. */
  clearPending(block: number, pending: number): void {
    if (this.pendingOf(block) === pending) this.#slotByBlock[block] = ABSENT;
  }

  /** Whether its rows can lie in row-id order: the slab has room for all of them. */
  get canOrderByRowId(): boolean {
    return holdsAllRows(this.partition, this.#areas.slabSlotCount);
  }

  /** Whether all rows are in memory, by row id. */
  get isOrderedByRowId(): boolean {
    return this.#order === "row-id";
  }

  /** The memory of its own that its placement takes up, if it does. */
  get placementMemory(): KernelMemory | undefined {
    const memory = this.#placement?.memory;
    return memory === this.slab ? undefined : memory;
  }

  /** Positions of `count` row ids from `firstRow` on, at most `PLACED_IDS_MAX`. */
  positionsOf(firstRow: number, count: number): Uint32Array {
    const ids = new Uint32Array(count);
    for (let i = 0; i < count; i++) ids[i] = firstRow + i;
    this.#placement?.place(ids);
    return ids;
  }

  /** Empties the memory tier; until it is filled or given up, every row is read from its block. */
  beginRowIdOrder(): void {
    this.#order = "filling";
    this.#freeCount = this.#freeAll();
  }

  /** Where a row goes in the slab between `beginRowIdOrder` and `endRowIdOrder`. */
  rowIdPtr(row: number): number {
    return this.#areas.slotsPtr + row * this.partition.rowBytes;
  }

  /** @param isWhole Whether every row is in its place; otherwise blocks come and go as ever. */
  endRowIdOrder(isWhole: boolean): void {
    this.#order = isWhole ? "row-id" : "placement";
    if (!isWhole) return;
    this.#freeCount = 0;
    this.#placement = undefined;
  }

  /** Whether some slots lie outside the slab. */
  get hasOverflow(): boolean {
    return this.#overflow !== undefined;
  }

  /** Blocks that were read and not let in. */
  get refusedCount(): number {
    return this.#refusedCount;
  }

  get evictedCount(): number {
    return this.#evictedCount;
  }

  /** Row reads since the start, repeats counted, by whether memory had the row. */
  get rowsHit(): number {
    return this.#rowsHit;
  }

  get rowsMissed(): number {
    return this.#rowsMissed;
  }

  get blocksRead(): number {
    return this.#blocksRead;
  }

  countBlockRead(): void {
    this.#blocksRead++;
  }

  countRows(hit: number, missed: number): void {
    this.#rowsHit += hit;
    this.#rowsMissed += missed;
  }

  /** The block that holds a position. */
  blockOf(position: number): number {
    return position >>> this.#rowsShift;
  }

  /** A position's place among its block's rows. */
  rowInBlock(position: number): number {
    return position & (this.partition.rowsPerBlock - 1);
  }

  /**
   * Turns the first `count` row ids of the slab's positions area into positions, those into addresses,
   * and gives the number of rows whose block is not in the slab; their indices are in the misses area,
   * rising.
   */
  resolve(count: number): number {
    const { scratch, kernels } = this.slab;
    const { positionsPtr, addressesPtr } = scratch;
    if (this.#order === "row-id") {
      const { rowBytes } = this.partition;
      kernels.addressRows(positionsPtr, count, addressesPtr, this.#areas.slotsPtr, rowBytes);
      return 0;
    }
    const firstId = positionsPtr >> 2;
    this.#placement?.place(this.slab.uint32.subarray(firstId, firstId + count));
    return kernels.resolveRows(
      positionsPtr,
      count,
      addressesPtr,
      scratch.missesPtr,
      this.#rowsShift,
      this.partition.rowBytes,
      this.#areas.slotByBlockPtr,
      this.#areas.slabSlotCount,
      this.#areas.slotsPtr,
      this.#areas.usesBySlotPtr,
    );
  }

  /** Whether a position's block is in memory, outside the slab. */
  isInOverflow(position: number): boolean {
    if (this.#overflow === undefined) return false;
    return this.#slotByBlock[this.blockOf(position)]! >= this.#areas.slabSlotCount;
  }

  /** Copies the row at a position that is in overflow to `ptr` of the slab. */
  copyOverflowRow(position: number, ptr: number): void {
    const { rowBytes } = this.partition;
    const slot = this.#slotByBlock[this.blockOf(position)]!;
    this.#usesBySlot[slot]!++;
    const overflowSlot = slot - this.#areas.slabSlotCount;
    const offset = this.rowInBlock(position) * rowBytes;
    this.#overflow!.copyTo(this.slab.bytes, ptr, overflowSlot, offset, rowBytes);
  }

  /**
   * Sums `bagCount` bags, as the lengths area says, onto the sums in the out area.
   *
   * @param weightsPtr One weight an address; absent for an unweighted sum.
   */
  pool(addressesPtr: number, bagCount: number, weightsPtr: number | undefined): void {
    const { lengthsPtr, outPtr } = this.slab.scratch;
    const { sum, weightedSum } = this.#kernels;
    const kernel = weightsPtr === undefined ? sum : weightedSum;
    kernel(addressesPtr, lengthsPtr, bagCount, outPtr, this.columnCount, weightsPtr ?? 0);
  }

  /**
   * Offers a block that was read. It comes in when a slot is free or the admission policy finds it worth
   * more than the block that would leave; a pinned block always does, and stays.
   *
   * @param rows The block's rows from byte `start` on.
   * @param rowReads Rows of it that lookups wanted.
   */
  admit(block: number, rows: Uint8Array, start: number, rowReads: number): void {
    if (this.slotCount === 0 || this.#order === "filling" || this.isResident(block)) return;
    const isPinned = block < this.pinnedBlockCount;
    if (!isPinned && !this.#makeRoom(block, rowReads)) return;
    const slot = this.#freeSlots[--this.#freeCount]!;
    const end = start + blockRowBytesOf(this.partition, block);
    this.#writeSlot(slot, rows.subarray(start, end));
    this.#slotByBlock[block] = slot;
    this.#usesBySlot[slot] = 0;
    this.#toldUsesBySlot[slot] = 0;
    if (!isPinned) this.#lru?.set(block, slot);
  }

  /** Whether there is a free slot for a block that is not pinned; another block may leave for it. */
  #makeRoom(block: number, rowReads: number): boolean {
    const lru = this.#lru;
    if (lru === undefined) return this.#pinsAll === false;
    this.#admission!.recordMiss(block, rowReads);
    if (lru.size < lru.max) return true;
    const victim = this.#victim(lru);
    if (this.#admission!.admits(block, victim)) {
      lru.delete(victim);
      this.#evictedCount++;
      return true;
    }
    // The next block that comes is held against another one.
    lru.get(victim);
    this.#refusedCount++;
    return false;
  }

  #writeSlot(slot: number, rows: Uint8Array): void {
    const { slabSlotCount, slotsPtr } = this.#areas;
    if (slot >= slabSlotCount) this.#overflow!.write(slot - slabSlotCount, rows);
    else this.slab.bytes.set(rows, slotsPtr + slot * slotBytesOf(this.partition));
  }

  /** The least recently used block, found by telling the LRU of uses it has not heard of. */
  #victim(lru: LRUCache<number, number>): number {
    for (let chances = SECOND_CHANCES_MAX; ; chances--) {
      const oldest: number = lru.rkeys().next().value!;
      const slot = this.#slotByBlock[oldest]!;
      const uses = (this.#usesBySlot[slot]! - this.#toldUsesBySlot[slot]!) >>> 0;
      if (uses === 0 || chances === 0) return oldest;
      this.#toldUsesBySlot[slot] = this.#usesBySlot[slot]!;
      this.#admission!.recordHits(oldest, uses);
      lru.get(oldest);
    }
  }

  /** @returns How many slots there are. */
  #freeAll(): number {
    this.#slotByBlock.fill(ABSENT);
    for (let slot = 0; slot < this.slotCount; slot++) this.#freeSlots[slot] = slot;
    return this.slotCount;
  }

  #handBack(slot: number, block: number): void {
    this.#slotByBlock[block] = ABSENT;
    this.#freeSlots[this.#freeCount++] = slot;
  }
}
