import { ShardpoolError } from "../errors.js";
import { mix32 } from "../random.js";
import { heaviestFirst, type RowCounts } from "./row-counts.js";

/** No row id: those that are none are negative, but not this. */
const FREE = -0x80000000;
const SLOTS_MIN = 1024;
/** Slots filled at most, of all: above it, probes grow long. */
const LOAD_MAX = 0.5;
/** Counters looked at to choose what is taken off all of them. */
const MEDIAN_SAMPLE = 255;
/** A count is a uint32 in the counts file. */
const COUNT_MAX = 0xffffffff;

/**
 * Counts by row id for tables whose rows are too many for an array, 8 bytes a slot and two slots a
 * row. Up to `rowCountMax` rows, counts are exact. When one more comes, the median of the counters is
 * taken off all of them and rows without a count leave (Anderson et al., "A high-performance
 * algorithm for identifying frequent items in data streams", IMC 2017, after Misra and Gries): a count
 * is then too low by at most {@link droppedCountMax}, and no row that is missing was counted more
 * often than that.
 */
export class RowCountTable {
  readonly #rowCountMax: number;
  /** Row id and count side by side, so that a read touches one cache line; counts as uint32. */
  #slots = new Int32Array(2 * SLOTS_MIN);
  /** What a rebuild of the same size fills. */
  #spare = new Int32Array(0);
  #mask = SLOTS_MIN - 1;
  #size = 0;
  #droppedCountMax = 0;

  constructor(rowCountMax: number) {
    this.#rowCountMax = rowCountMax;
    this.#slots.fill(FREE);
  }

  /** Rows that have a count. */
  get size(): number {
    return this.#size;
  }

  /** What a count may lack; 0 while all are exact. */
  get droppedCountMax(): number {
    return this.#droppedCountMax;
  }

  /** @throws ShardpoolError LIMIT_EXCEEDED when the row's count passes 2^32 - 1. */
  add(rowId: number, count = 1): void {
    const at = slotOf(this.#slots, this.#mask, rowId);
    if (this.#slots[at] === rowId) {
      const sum = (this.#slots[at + 1]! >>> 0) + count;
      if (sum > COUNT_MAX) throw tooManyReads(rowId, sum);
      this.#slots[at + 1] = sum;
      return;
    }
    if (this.#size >= this.#rowCountMax) {
      this.#decrement();
      this.add(rowId, count);
      return;
    }
    this.#slots[at] = rowId;
    this.#slots[at + 1] = count;
    this.#size++;
    if (this.#size > (this.#mask + 1) * LOAD_MAX) this.#rebuild(2 * (this.#mask + 1), 0);
  }

  /** Adds one to the count of each of `rowIds[start … end)`. */
  addAll(rowIds: Int32Array, start: number, end: number): void {
    let slots = this.#slots;
    let mask = this.#mask;
    for (let i = start; i < end; i++) {
      const rowId = rowIds[i]!;
      const at = slotOf(slots, mask, rowId);
      if (slots[at] === rowId && slots[at + 1] !== -1) {
        slots[at + 1]!++;
        continue;
      }
      this.add(rowId);
      slots = this.#slots;
      mask = this.#mask;
    }
  }

  /** Adds one to the count of those of `rowIds[start … end)` that are in the table already. */
  addKnown(rowIds: Int32Array, start: number, end: number): void {
    const slots = this.#slots;
    for (let i = start; i < end; i++) {
      const at = slotOf(slots, this.#mask, rowIds[i]!);
      if (slots[at] === FREE) continue;
      if (slots[at + 1] === -1) throw tooManyReads(rowIds[i]!, COUNT_MAX + 1);
      slots[at + 1]!++;
    }
  }

  /** Sets all counts to 0 and keeps the rows: for a second, exact count of those found heavy. */
  restart(): void {
    for (let at = 1; at < this.#slots.length; at += 2) this.#slots[at] = 0;
  }

  /** The rows with a count above 0, heaviest first. */
  toRowCounts(): RowCounts {
    const rising = new Int32Array(this.#size);
    let position = 0;
    for (let at = 0; at < this.#slots.length; at += 2) {
      if (this.#slots[at] !== FREE) rising[position++] = this.#slots[at]!;
    }
    rising.sort();
    const counts = Uint32Array.from(
      rising,
      (rowId) => this.#slots[slotOf(this.#slots, this.#mask, rowId) + 1]!,
    );
    return heaviestFirst(rising, counts);
  }

  #decrement(): void {
    const slots = this.#slots;
    const sample = new Uint32Array(MEDIAN_SAMPLE);
    let sampled = 0;
    // Rows lie where their hash puts them, so those at even distances are a fair sample.
    const stride = 2 * Math.max(1, Math.floor(slots.length / (8 * MEDIAN_SAMPLE)));
    for (let at = 0; at < slots.length && sampled < MEDIAN_SAMPLE; at += stride) {
      if (slots[at] !== FREE) sample[sampled++] = slots[at + 1]!;
    }
    if (sampled === 0) {
      const at = slots.findIndex((rowId, i) => i % 2 === 0 && rowId !== FREE);
      sample[sampled++] = slots[at + 1]!;
    }
    sample.subarray(0, sampled).sort();
    const median = sample[sampled >> 1]!;
    this.#droppedCountMax += median;
    this.#rebuild(this.#mask + 1, median);
  }

  #rebuild(slotCount: number, takenOff: number): void {
    const old = this.#slots;
    const isSameSize = this.#spare.length === 2 * slotCount;
    this.#slots = isSameSize ? this.#spare : new Int32Array(2 * slotCount);
    this.#slots.fill(FREE);
    this.#spare = old.length === this.#slots.length ? old : new Int32Array(0);
    this.#mask = slotCount - 1;
    this.#size = 0;
    for (let from = 0; from < old.length; from += 2) {
      const count = old[from + 1]! >>> 0;
      if (old[from] === FREE || count <= takenOff) continue;
      const at = slotOf(this.#slots, this.#mask, old[from]!);
      this.#slots[at] = old[from]!;
      this.#slots[at + 1] = count - takenOff;
      this.#size++;
    }
  }
}

/** Where the row's id stands, or the free place where it would go. */
function slotOf(slots: Int32Array, mask: number, rowId: number): number {
  let slot = mix32(rowId) & mask;
  while (slots[2 * slot] !== rowId && slots[2 * slot] !== FREE) slot = (slot + 1) & mask;
  return 2 * slot;
}

function tooManyReads(rowId: number, count: number): ShardpoolError {
  return new ShardpoolError(
    "LIMIT_EXCEEDED",
    `row ${rowId} was read ${count} times, at most ${COUNT_MAX} reads of a row are counted`,
  );
}
