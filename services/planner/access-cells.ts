import type { RangeAccess, RowMissPoint } from "./access-profile.js";

/** Rows that are read about equally often, over a whole table. */
export interface HeatBand {
  readonly rows: number;
  /** Expected reads of all of them, in the log's reads. */
  readonly reads: number;
  /** No row of it is expected to be read less, or more, often than this. */
  readonly readsARowMin: number;
  readonly readsARowMax: number;
  /** Whether its rows are all taken for equally hot; else they differ as their counts do. */
  readonly isEven: boolean;
}

/**
 * A table cut into neighbouring ranges of rows, the cells, with the rows and reads of each heat band
 * in each. What any run of cells is read like costs a few subtractions, so that a search may try
 * thousands of cuts.
 */
export class AccessCells {
  /** Row ids from 0 to the row count, one more than there are cells. */
  readonly boundaries: readonly number[];
  readonly #bandCount: number;
  readonly #rowsBefore: Float64Array;
  readonly #readsBefore: Float64Array;
  readonly #readsTotal: number;

  /**
   * @param rows By cell, then by band, hottest band first.
   * @param reads In the same places.
   */
  constructor(boundaries: readonly number[], rows: Float64Array, reads: Float64Array) {
    this.boundaries = boundaries;
    this.#bandCount = rows.length / (boundaries.length - 1);
    this.#rowsBefore = runningSums(rows, this.#bandCount);
    this.#readsBefore = runningSums(reads, this.#bandCount);
    this.#readsTotal = this.#sum(this.#readsBefore, 0, this.cellCount);
  }

  get cellCount(): number {
    return this.boundaries.length - 1;
  }

  /** Share of the table's reads that lie in cells `[from, to)`. */
  readShareOf(from: number, to: number): number {
    const rowStart = this.boundaries[from]!;
    const rowEnd = this.boundaries[to]!;
    if (this.#readsTotal === 0) return (rowEnd - rowStart) / this.boundaries.at(-1)!;
    return this.#sum(this.#readsBefore, from, to) / this.#readsTotal;
  }

  /** How cells `[from, to)` are read, together. */
  accessOf(from: number, to: number): RangeAccess {
    const rowStart = this.boundaries[from]!;
    const rowEnd = this.boundaries[to]!;
    return {
      rowStart,
      rowEnd,
      readShare: this.readShareOf(from, to),
      pinnedMisses: this.#missesOf(from, to),
    };
  }

  #missesOf(from: number, to: number): RowMissPoint[] {
    const reads = this.#sum(this.#readsBefore, from, to);
    const rowCount = this.boundaries[to]! - this.boundaries[from]!;
    if (reads === 0) {
      return [
        { rows: 0, missRatio: 0 },
        { rows: rowCount, missRatio: 0 },
      ];
    }
    const points: RowMissPoint[] = [{ rows: 0, missRatio: 1 }];
    let rows = 0;
    let readsHit = 0;
    for (let band = 0; band < this.#bandCount; band++) {
      const bandRows = this.#of(this.#rowsBefore, from, to, band);
      if (bandRows === 0) continue;
      rows += bandRows;
      readsHit += this.#of(this.#readsBefore, from, to, band);
      points.push({ rows, missRatio: rows >= rowCount ? 0 : Math.max(0, 1 - readsHit / reads) });
    }
    return points;
  }

  #of(before: Float64Array, from: number, to: number, band: number): number {
    return before[to * this.#bandCount + band]! - before[from * this.#bandCount + band]!;
  }

  #sum(before: Float64Array, from: number, to: number): number {
    let sum = 0;
    for (let band = 0; band < this.#bandCount; band++) sum += this.#of(before, from, to, band);
    return sum;
  }
}

/** By cell and band: the sum of all cells before; one cell more than there are. */
function runningSums(values: Float64Array, bandCount: number): Float64Array {
  const sums = new Float64Array(values.length + bandCount);
  for (let i = 0; i < values.length; i++) sums[i + bandCount] = sums[i]! + values[i]!;
  return sums;
}
