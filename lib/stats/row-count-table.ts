import { ShardpoolError } from "../errors.js";
import { mix32 } from "../random.js";
import { heaviestFirst, type RowCounts } from "./row-counts.js";

/** No row id: those that are none are negative, but not this. */
const FREE = -0x80000000;
const SLOTS_MIN = 1024;
/** Slots filled at most, of all: above it, probes grow long. */
const LOAD_MAX = 0.5;
/** Counters looked at to choose what is taken off all of them. */
const MEDIAN_SAMPLE = 1023;
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
  #rowIds = new Int32Array(SLOTS_MIN).fill(FREE);
  #counts = new Uint32Array(SLOTS_MIN);
  #size = 0;
  #droppedCountMax = 0;

  constructor(rowCountMax: number) {
    this.#rowCountMax = rowCountMax;
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
    const slot = this.#slotOf(rowId);
    if (this.#rowIds[slot] === rowId) {
      const sum = this.#counts[slot]! + count;
      if (sum > COUNT_MAX) throw tooManyReads(rowId, sum);
      this.#counts[slot] = sum;
      return;
    }
    if (this.#size >= this.#rowCountMax) {
      this.#decrement();
      this.add(rowId, count);
      return;
    }
    this.#rowIds[slot] = rowId;
    this.#counts[slot] = count;
    this.#size++;
    if (this.#size > this.#rowIds.length * LOAD_MAX) this.#rebuild(this.#rowIds.length * 2, 0);
  }

  /** Adds one to the count of each of `rowIds[start … end)`. */
  addAll(rowIds: Int32Array, start: number, end: number): void {
    for (let i = start; i < end; i++) {
      const rowId = rowIds[i]!;
      const slot = this.#slotOf(rowId);
      if (this.#rowIds[slot] === rowId && this.#counts[slot]! < COUNT_MAX) this.#counts[slot]!++;
      else this.add(rowId);
    }
  }

  /** Adds one to the count of those of `rowIds[start … end)` that are in the table already. */
  addKnown(rowIds: Int32Array, start: number, end: number): void {
    for (let i = start; i < end; i++) {
      const slot = this.#slotOf(rowIds[i]!);
      if (this.#rowIds[slot] === FREE) continue;
      if (this.#counts[slot] === COUNT_MAX) throw tooManyReads(rowIds[i]!, COUNT_MAX + 1);
      this.#counts[slot]!++;
    }
  }

  /** Sets all counts to 0 and keeps the rows: for a second, exact count of those found heavy. */
  restart(): void {
    this.#counts.fill(0);
  }

  has(rowId: number): boolean {
    return this.#rowIds[this.#slotOf(rowId)] === rowId;
  }

  /** The rows with a count above 0, heaviest first. */
  toRowCounts(): RowCounts {
    const rising = new Int32Array(this.#size);
    let position = 0;
    for (let slot = 0; slot < this.#rowIds.length; slot++) {
      if (this.#rowIds[slot] !== FREE) rising[position++] = this.#rowIds[slot]!;
    }
    rising.sort();
    const counts = Uint32Array.from(rising, (rowId) => this.#counts[this.#slotOf(rowId)]!);
    return heaviestFirst(rising, counts);
  }

  /** The row's slot, or the free one where it would go. */
  #slotOf(rowId: number): number {
    const mask = this.#rowIds.length - 1;
    let slot = mix32(rowId) & mask;
    while (this.#rowIds[slot] !== rowId && this.#rowIds[slot] !== FREE) slot = (slot + 1) & mask;
    return slot;
  }

  #decrement(): void {
    const sample: number[] = [];
    const stride = Math.max(1, Math.floor(this.#size / MEDIAN_SAMPLE));
    let seen = 0;
    for (let slot = 0; slot < this.#rowIds.length; slot++) {
      if (this.#rowIds[slot] !== FREE && seen++ % stride === 0) sample.push(this.#counts[slot]!);
    }
    sample.sort((a, b) => a - b);
    const median = sample[sample.length >> 1]!;
    this.#droppedCountMax += median;
    this.#rebuild(this.#rowIds.length, median);
  }

  #rebuild(slotCount: number, takenOff: number): void {
    const rowIds = this.#rowIds;
    const counts = this.#counts;
    this.#rowIds = new Int32Array(slotCount).fill(FREE);
    this.#counts = new Uint32Array(slotCount);
    this.#size = 0;
    for (let from = 0; from < rowIds.length; from++) {
      if (rowIds[from] === FREE || counts[from]! <= takenOff) continue;
      const slot = this.#slotOf(rowIds[from]!);
      this.#rowIds[slot] = rowIds[from]!;
      this.#counts[slot] = counts[from]! - takenOff;
      this.#size++;
    }
  }
}

function tooManyReads(rowId: number, count: number): ShardpoolError {
  return new ShardpoolError(
    "LIMIT_EXCEEDED",
    `row ${rowId} was read ${count} times, at most ${COUNT_MAX} reads of a row are counted`,
  );
}
