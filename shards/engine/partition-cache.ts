import { LRUCache } from "lru-cache";
import { type PoolKernels, poolKernelsFor } from "../kernels/kernels.js";
import { columnCountOf, rowCountOf, type StoredPartition } from "../store/store-catalog.js";
import type { OverflowSlots } from "./overflow-slots.js";
import { type PlacementAreas, reservePlacementAreas } from "./placement.js";
import type { Slab, SlabLayout } from "./slab.js";

/** lru-cache's own memory an entry; measured. */
export const LRU_ENTRY_BYTES = 77;

/** Blocks an eviction may find used since the LRU last heard of them before one has to go anyway. */
const SECOND_CHANCES_MAX = 64;

/** Where a partition's index and slots lie in its slab. */
export interface CacheAreas {
  readonly slotCount: number;
  /** Slots that lie in the slab; the others are overflow. */
  readonly slabSlotCount: number;
  readonly slotByBlockPtr: number;
  readonly stampBySlotPtr: number;
  readonly slotsPtr: number;
  /** Where row ids are turned into positions; absent when they are the same. */
  readonly placement: PlacementAreas | undefined;
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
    stampBySlotPtr: layout.reserve(slotCount * 4),
    slotsPtr: layout.reserve(slabSlotCount * slotBytesOf(partition)),
    placement: reservePlacementAreas(layout, partition),
  };
}

/**
 * The memory tier of one partition: which of its blocks are in memory, and where.
 *
 * A hit costs an index read and a stamp on the slot. Recency reaches lru-cache later, when it has to
 * name a block that leaves: a block whose stamp moved since is told to be recent and the next oldest
 * is asked. So a lookup that only hits pays nothing for the LRU, and a block is told at most once a
 * batch. With room for every block nothing ever leaves, and there is no LRU at all.
 */
export class PartitionCache {
  readonly partition: StoredPartition;
  readonly rowCount: number;
  readonly columnCount: number;
  readonly slab: Slab;
  readonly slotCount: number;
  readonly #areas: CacheAreas;
  readonly #overflow: OverflowSlots | undefined;
  readonly #rowsShift: number;
  readonly #slotByBlock: Int32Array;
  readonly #stampBySlot: Uint32Array;
  /** The stamp each slot had when the LRU last heard of its block. */
  readonly #toldStampBySlot: Uint32Array;
  readonly #freeSlots: Int32Array;
  #freeCount: number;
  readonly #lru: LRUCache<number, number> | undefined;
  readonly #kernels: PoolKernels;
  #evictedCount = 0;
  #rowsHit = 0;
  #rowsMissed = 0;
  #blocksRead = 0;

  /** @param overflow The slots that lie outside the slab, if there are such. */
  constructor(partition: StoredPartition, slab: Slab, areas: CacheAreas, overflow?: OverflowSlots) {
    const { slotCount, slotByBlockPtr, stampBySlotPtr } = areas;
    const { buffer } = slab.bytes;
    this.partition = partition;
    this.rowCount = rowCountOf(partition);
    this.columnCount = columnCountOf(partition);
    this.slab = slab;
    this.slotCount = slotCount;
    this.#areas = areas;
    this.#overflow = overflow;
    this.#rowsShift = Math.log2(partition.rowsPerBlock);
    this.#slotByBlock = new Int32Array(buffer, slotByBlockPtr, partition.blockCount).fill(-1);
    this.#stampBySlot = new Uint32Array(buffer, stampBySlotPtr, slotCount);
    this.#toldStampBySlot = new Uint32Array(slotCount);
    // Slots are taken from the last to the first, as preloading takes blocks: the hottest ones come to
    // lie in the slab and not in the overflow.
    this.#freeSlots = Int32Array.from({ length: slotCount }, (_, i) => i);
    this.#freeCount = slotCount;
    this.#kernels = poolKernelsFor(slab.kernels, partition.dtype);
    if (slotCount > 0 && slotCount < partition.blockCount) {
      this.#lru = new LRUCache({
        max: slotCount,
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
    return this.#slotByBlock[block] !== -1;
  }

  /** Whether some slots lie outside the slab. */
  get hasOverflow(): boolean {
    return this.#overflow !== undefined;
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
  resolve(count: number, stamp: number): number {
    const { scratch, kernels } = this.slab;
    const { placement } = this.#areas;
    if (placement) {
      const { linesPtr, basesPtr } = placement;
      kernels.placeRows(scratch.positionsPtr, count, linesPtr, basesPtr);
    }
    return kernels.resolveRows(
      scratch.positionsPtr,
      count,
      scratch.addressesPtr,
      scratch.missesPtr,
      this.#rowsShift,
      this.partition.rowBytes,
      this.#areas.slotByBlockPtr,
      this.#areas.slabSlotCount,
      this.#areas.slotsPtr,
      this.#areas.stampBySlotPtr,
      stamp,
    );
  }

  /** Whether a position's block is in memory, outside the slab. */
  isInOverflow(position: number): boolean {
    if (this.#overflow === undefined) return false;
    return this.#slotByBlock[this.blockOf(position)]! >= this.#areas.slabSlotCount;
  }

  /** Copies the row at a position that is in overflow to `ptr` of the slab. */
  copyOverflowRow(position: number, ptr: number, stamp: number): void {
    const { rowBytes } = this.partition;
    const slot = this.#slotByBlock[this.blockOf(position)]!;
    this.#stampBySlot[slot] = stamp;
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

  /** Takes a block that was read into memory, for as long as the LRU sees fit. */
  admit(block: number, rows: Uint8Array, stamp: number): void {
    if (this.slotCount === 0 || this.#slotByBlock[block] !== -1) return;
    if (this.#freeCount === 0) this.#evictOne();
    const slot = this.#freeSlots[--this.#freeCount]!;
    this.#writeSlot(slot, rows);
    this.#slotByBlock[block] = slot;
    this.#stampBySlot[slot] = stamp;
    this.#toldStampBySlot[slot] = stamp;
    this.#lru?.set(block, slot);
  }

  #writeSlot(slot: number, rows: Uint8Array): void {
    const { slabSlotCount, slotsPtr } = this.#areas;
    if (slot >= slabSlotCount) this.#overflow!.write(slot - slabSlotCount, rows);
    else this.slab.bytes.set(rows, slotsPtr + slot * slotBytesOf(this.partition));
  }

  #evictOne(): void {
    const lru = this.#lru!;
    for (let chances = SECOND_CHANCES_MAX; chances > 0; chances--) {
      const oldest: number = lru.rkeys().next().value!;
      const slot = this.#slotByBlock[oldest]!;
      if (this.#stampBySlot[slot] === this.#toldStampBySlot[slot]) break;
      this.#toldStampBySlot[slot] = this.#stampBySlot[slot]!;
      lru.get(oldest);
    }
    lru.pop();
    this.#evictedCount++;
  }

  #handBack(slot: number, block: number): void {
    this.#slotByBlock[block] = -1;
    this.#freeSlots[this.#freeCount++] = slot;
  }
}
