import { RowCountTable } from "./row-count-table.js";
import { heaviestFirst, type RowCounts } from "./row-counts.js";

/** Bytes of an exact counter in an array. */
export const COUNTER_BYTES = 4;
/** A hashed counter takes two slots of 8 bytes, and twice that while its table grows. */
const COUNTERS_A_HASHED_ROW = 8;
const HASHED_ROWS_MIN = 16;
/** A count is a uint32, and no row is read more often than its table. */
export const TABLE_READS_MAX = 0xffffffff;

/** Reads of one table's rows. */
export interface RowCounter {
  /** Counts the reads `rowIds[start … end)`, which are rows of the table. */
  addAll(rowIds: Int32Array, start: number, end: number): void;
  /** What a count may lack, and what an unlisted row may have been read; 0 while exact. */
  readonly droppedCountMax: number;
  toRowCounts(): RowCounts;
}

/** A counter for every row of a table. */
export class DenseRowCounter implements RowCounter {
  readonly droppedCountMax = 0;
  readonly #reads: Uint32Array;

  constructor(rowCount: number) {
    this.#reads = new Uint32Array(rowCount);
  }

  addAll(rowIds: Int32Array, start: number, end: number): void {
    const reads = this.#reads;
    for (let i = start; i < end; i++) reads[rowIds[i]!]!++;
  }

  toRowCounts(): RowCounts {
    const reads = this.#reads;
    let touched = 0;
    for (let i = 0; i < reads.length; i++) if (reads[i]! > 0) touched++;
    const rowIds = new Int32Array(touched);
    const counts = new Uint32Array(touched);
    let at = 0;
    for (let rowId = 0; rowId < reads.length; rowId++) {
      if (reads[rowId] === 0) continue;
      rowIds[at] = rowId;
      counts[at++] = reads[rowId]!;
    }
    return heaviestFirst(rowIds, counts);
  }
}

/**
 * A counter for each table, within the memory of `exactRowsMax` counters of 4 bytes. A table whose
 * rows are within its fair share of them has one for every row; small tables leave their rest to the others.
 * A larger one gets hashed counters for an eighth of its share and is sketched when it needs more.
 *
 * @returns One a table, in order.
 */
export function createRowCounters(
  rowCounts: readonly number[],
  exactRowsMax: number,
): RowCounter[] {
  const counters: RowCounter[] = [];
  const smallestFirst = rowCounts
    .map((rowCount, table) => ({ rowCount, table }))
    .sort((a, b) => a.rowCount - b.rowCount || a.table - b.table);
  let left = exactRowsMax;
  smallestFirst.forEach(({ rowCount, table }, i) => {
    const share = Math.floor(left / (smallestFirst.length - i));
    const isDense = rowCount <= share;
    const hashedRows = Math.max(HASHED_ROWS_MIN, Math.floor(share / COUNTERS_A_HASHED_ROW));
    counters[table] = isDense ? new DenseRowCounter(rowCount) : new RowCountTable(hashedRows);
    left -= Math.min(rowCount, share);
  });
  return counters;
}
