import type { RowCounts } from "../../lib/stats/counts-file.js";

/** Rows are first counted into this many equal ranges of row ids, so that nothing is sorted whole. */
const CELL_COUNT_MAX = 4096;

/**
 * Cuts `[0, rowCount)` into ranges with the given shares of reads, as near as whole rows allow.
 * Reads of rows that are not listed are spread evenly.
 *
 * @param shares Positive, summing to 1, no more of them than rows.
 * @returns Row ids from 0 to `rowCount`, rising, one more than there are shares.
 */
export function boundariesByReads(
  rowCount: number,
  counts: RowCounts,
  tailReads: number,
  shares: readonly number[],
): number[] {
  if (shares.length > rowCount) {
    throw new RangeError(`${shares.length} ranges of ${rowCount} rows`);
  }
  const cells = new ReadCells(rowCount, counts, tailReads);
  const boundaries = [0];
  let share = 0;
  for (let i = 0; i < shares.length - 1; i++) {
    share += shares[i]!;
    const wanted = cells.rowAt(share * cells.readsTotal);
    // Each range keeps one row at least, the ones still to come too.
    const least = boundaries[i]! + 1;
    const most = rowCount - (shares.length - 1 - i);
    boundaries.push(Math.min(most, Math.max(least, wanted)));
  }
  boundaries.push(rowCount);
  return boundaries;
}

/** Reads by range of row ids, refined to single rows only where a boundary falls. */
class ReadCells {
  readonly readsTotal: number;
  readonly #rowCount: number;
  readonly #counts: RowCounts;
  readonly #tailReadsARow: number;
  readonly #rowsACell: number;
  /** Reads of all cells before each, one more than there are cells. */
  readonly #readsBefore: Float64Array;
  /** Positions in the counts by cell: those of cell `c` lie at `#cellStarts[c]..#cellStarts[c + 1]`. */
  readonly #positionsByCell: Int32Array;
  readonly #cellStarts: Int32Array;

  constructor(rowCount: number, counts: RowCounts, tailReads: number) {
    this.#rowCount = rowCount;
    this.#counts = counts;
    this.#tailReadsARow = tailReads / rowCount;
    this.#rowsACell = Math.ceil(rowCount / CELL_COUNT_MAX);
    const cellCount = Math.ceil(rowCount / this.#rowsACell);
    const before = new Float64Array(cellCount + 1);
    const starts = new Int32Array(cellCount + 1);
    for (let i = 0; i < counts.rowIds.length; i++) {
      const cell = Math.floor(counts.rowIds[i]! / this.#rowsACell) + 1;
      before[cell] = before[cell]! + counts.counts[i]!;
      starts[cell] = starts[cell]! + 1;
    }
    for (let cell = 0; cell < cellCount; cell++)
      starts[cell + 1] = starts[cell + 1]! + starts[cell]!;
    for (let cell = 0; cell < cellCount; cell++) {
      const rows = Math.min(this.#rowsACell, rowCount - cell * this.#rowsACell);
      before[cell + 1] = before[cell + 1]! + before[cell]! + rows * this.#tailReadsARow;
    }
    this.#readsBefore = before;
    this.readsTotal = before[cellCount]!;
    this.#cellStarts = starts;
    this.#positionsByCell = positionsByCell(counts.rowIds, starts, this.#rowsACell);
  }

  /** The row id below which lie as nearly `reads` reads as whole rows allow. */
  rowAt(reads: number): number {
    let cell = 0;
    while (cell + 2 < this.#readsBefore.length && this.#readsBefore[cell + 1]! <= reads) cell++;
    const rowStart = cell * this.#rowsACell;
    const rows = Math.min(this.#rowsACell, this.#rowCount - rowStart);
    const perRow = this.#readsOfCell(cell, rows);
    let sum = this.#readsBefore[cell]!;
    for (let i = 0; i < rows; i++) {
      const next = sum + perRow[i]!;
      if (next > reads) return rowStart + (next - reads < reads - sum ? i + 1 : i);
      sum = next;
    }
    return rowStart + rows;
  }

  #readsOfCell(cell: number, rows: number): Float64Array {
    const perRow = new Float64Array(rows).fill(this.#tailReadsARow);
    const end = this.#cellStarts[cell + 1]!;
    for (let i = this.#cellStarts[cell]!; i < end; i++) {
      const position = this.#positionsByCell[i]!;
      const local = this.#counts.rowIds[position]! - cell * this.#rowsACell;
      perRow[local] = perRow[local]! + this.#counts.counts[position]!;
    }
    return perRow;
  }
}

/** One counting sort: a table with millions of listed rows is walked twice, not once a boundary. */
function positionsByCell(rowIds: Int32Array, starts: Int32Array, rowsACell: number): Int32Array {
  const next = starts.slice();
  const positions = new Int32Array(rowIds.length);
  for (let i = 0; i < rowIds.length; i++) {
    const cell = Math.floor(rowIds[i]! / rowsACell);
    const position = next[cell]!;
    positions[position] = i;
    next[cell] = position + 1;
  }
  return positions;
}
