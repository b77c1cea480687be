import type { TableStats } from "../../lib/stats/access-stats.js";
import type { RowCounts } from "../../lib/stats/counts-file.js";
import { boundariesByReads } from "./row-boundaries.js";

/** Share of a range's reads that are missed when `rows` of it are in memory. */
export interface RowMissPoint {
  readonly rows: number;
  readonly missRatio: number;
}

/** How a range of rows of one table is read. */
export interface RangeAccess {
  readonly rowStart: number;
  readonly rowEnd: number;
  /** Reads of the range, of all reads of the table, in `[0, 1]`. */
  readonly readShare: number;
  /** With the hottest rows pinned, by rising `rows`. */
  readonly pinnedMisses: readonly RowMissPoint[];
  /** With an LRU cache, by rising `rows`; empty where nobody measured. */
  readonly lruMisses: readonly RowMissPoint[];
}

/**
 * A row's count in one log overstates how often the next log reads it, by about this much, in favour
 * of rows the log did not show (Church and Gale, "A comparison of the enhanced Good-Turing and
 * deleted estimation methods", 1991). Without it, a row read once would look worth keeping.
 */
const COUNT_DISCOUNT = 0.75;

/** No row outside the log is believed to be read more often than this many times in one like it. */
const UNSEEN_COUNT_MAX = 0.5;

/** Ranks on a curve grow by this factor: 3 % of a curve's height at most lies between two points. */
const RANK_STEP = 1.3;

/** How the rows of one table are read, from its statistics where there are any. */
export class AccessProfile {
  readonly #rowCount: number;
  readonly #counts: RowCounts;
  readonly #tailReads: number;
  readonly #lru: readonly RowMissPoint[];

  /** Without statistics, or with none of this table's reads, all rows are equally likely. */
  constructor(rowCount: number, stats?: TableStats, counts?: RowCounts) {
    this.#rowCount = rowCount;
    const hasReads = stats !== undefined && counts !== undefined && stats.readCount > 0;
    this.#counts = hasReads ? counts : NO_COUNTS;
    this.#tailReads = hasReads ? stats.tailReadCount : 1;
    this.#lru = hasReads ? stats.missRatioCurve : [];
  }

  /** Whether the curves come from measured reads. */
  get isMeasured(): boolean {
    return this.#counts !== NO_COUNTS;
  }

  /**
   * Cuts the rows into ranges with about the given shares of reads.
   *
   * @param shares Positive, summing to 1; a range holds at least one row.
   * @returns Row ids from 0 to rowCount, one more than there are ranges.
   */
  boundariesOf(shares: readonly number[]): number[] {
    return boundariesByReads(this.#rowCount, this.#counts, this.#tailReads, shares);
  }

  /** How each range between neighbouring boundaries is read, in one pass over the counts. */
  accessOf(boundaries: readonly number[]): RangeAccess[] {
    const { rowIds, counts } = this.#counts;
    const ranges = boundaries
      .slice(0, -1)
      .map((rowStart, i) => new RangeTally(rowStart, boundaries[i + 1]!, counts.length));
    for (let i = 0; i < rowIds.length; i++) {
      ranges[rangeIndexOf(boundaries, rowIds[i]!)]!.add(counts[i]!);
    }
    const tailReadsARow = this.#tailReads / Math.max(1, this.#rowCount - rowIds.length);
    for (const range of ranges) range.addTail(tailReadsARow);
    const readsTotal = ranges.reduce((sum, range) => sum + range.reads, 0);
    return ranges.map((range) => {
      const rowShare = (range.rowEnd - range.rowStart) / this.#rowCount;
      return {
        rowStart: range.rowStart,
        rowEnd: range.rowEnd,
        readShare: readsTotal === 0 ? rowShare : range.reads / readsTotal,
        pinnedMisses: range.misses(),
        lruMisses: this.#lru.map((point) => ({ ...point, rows: point.rows * rowShare })),
      };
    });
  }
}

const NO_COUNTS: RowCounts = { rowIds: new Int32Array(0), counts: new Uint32Array(0) };

/** Adds up one range's counts, heaviest first, and keeps points of the running sum. */
class RangeTally {
  readonly rowStart: number;
  readonly rowEnd: number;
  reads = 0;
  #listedRows = 0;
  #listedReads = 0;
  #nextRank = 1;
  readonly #points: { rows: number; reads: number }[] = [];

  constructor(rowStart: number, rowEnd: number, listedRowsMax: number) {
    this.rowStart = rowStart;
    this.rowEnd = rowEnd;
    if (listedRowsMax === 0) this.#nextRank = Number.POSITIVE_INFINITY;
  }

  add(count: number): void {
    this.#listedRows++;
    this.#listedReads += count;
    if (this.#listedRows < this.#nextRank) return;
    this.#points.push({ rows: this.#listedRows, reads: this.#listedReads });
    this.#nextRank = Math.max(this.#listedRows + 1, Math.ceil(this.#listedRows * RANK_STEP));
  }

  addTail(readsARow: number): void {
    const tailRows = this.rowEnd - this.rowStart - this.#listedRows;
    this.reads = this.#listedReads + tailRows * readsARow;
  }

  misses(): RowMissPoint[] {
    const rowCount = this.rowEnd - this.rowStart;
    const start = { rows: 0, missRatio: 1 };
    const end = { rows: rowCount, missRatio: 0 };
    if (this.reads === 0) return [{ ...start, missRatio: 0 }, end];
    const unlistedRows = rowCount - this.#listedRows;
    const unseenReads = Math.min(
      COUNT_DISCOUNT * this.#listedRows,
      UNSEEN_COUNT_MAX * unlistedRows,
    );
    const discount = this.#listedRows === 0 ? 0 : unseenReads / this.#listedRows;
    const all = { rows: this.#listedRows, reads: this.#listedReads };
    const listed = [...this.#points, all]
      .filter((point) => point.rows > 0 && point.rows < rowCount)
      .map(({ rows, reads }) => ({ rows, missRatio: 1 - (reads - discount * rows) / this.reads }));
    return [start, ...listed, end];
  }
}

/** The range that holds a row, by bisection. */
function rangeIndexOf(boundaries: readonly number[], rowId: number): number {
  let low = 0;
  let high = boundaries.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (boundaries[middle]! <= rowId) low = middle;
    else high = middle;
  }
  return low;
}
