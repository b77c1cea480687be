import type { TableStats } from "../../lib/stats/access-stats.js";
import type { RowCounts } from "../../lib/stats/counts-file.js";
import { AccessCells, type HeatBand } from "./access-cells.js";
import { evenCells } from "./even-cells.js";
import { HEAT_CLASS_COUNT, heatClassOf, highestCountOf, lowestCountOf } from "./heat-classes.js";
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
  /** With the hottest rows in memory, by rising `rows`. */
  readonly pinnedMisses: readonly RowMissPoint[];
  /** With an LRU cache, by rising `rows`; empty where nobody measured this very range. */
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

/**
 * How the rows of one table are read, from its statistics where there are any: each row's expected
 * reads are its count less a discount that goes to the rows the log did not list. The expectation is
 * of rows, so ranges of rows add up to the table however it is cut.
 */
export class AccessProfile {
  readonly #rowCount: number;
  readonly #counts: RowCounts;
  readonly #tailReads: number;
  readonly #lru: readonly RowMissPoint[];
  /** What a listed row's count is taken to overstate. */
  readonly #discount: number;
  /** Expected reads of a row that is not listed. */
  readonly #unlistedReads: number;
  /** Band by heat class; -1 for a class without rows. */
  readonly #bandByClass: Int16Array;
  readonly #unlistedBand: number;
  readonly #cellsByCount = new Map<number, AccessCells>();
  /** Hottest first, over the whole table. */
  readonly bands: readonly HeatBand[];

  /** Without statistics, or with none of this table's reads, all rows are equally likely. */
  constructor(rowCount: number, stats?: TableStats, counts?: RowCounts) {
    this.#rowCount = rowCount;
    const hasReads = stats !== undefined && counts !== undefined && stats.readCount > 0;
    this.#counts = hasReads ? counts : NO_COUNTS;
    this.#tailReads = hasReads ? stats.tailReadCount : 1;
    this.#lru = hasReads ? stats.missRatioCurve : [];
    const listed = this.#counts.rowIds.length;
    const unlisted = Math.max(0, rowCount - listed);
    const unseenReads = Math.min(COUNT_DISCOUNT * listed, UNSEEN_COUNT_MAX * unlisted);
    this.#discount = listed === 0 ? 0 : unseenReads / listed;
    this.#unlistedReads = unlisted === 0 ? 0 : (this.#tailReads + unseenReads) / unlisted;
    const { bands, bandByClass, unlistedBand } = this.#sortBands(unlisted);
    this.bands = bands;
    this.#bandByClass = bandByClass;
    this.#unlistedBand = unlistedBand;
  }

  /** Whether the curves come from measured reads. */
  get isMeasured(): boolean {
    return this.#counts !== NO_COUNTS;
  }

  /** The LRU curve measured on the whole table; empty where nobody measured. */
  get lruMisses(): readonly RowMissPoint[] {
    return this.#lru;
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
    const cells = this.cellsBetween(boundaries);
    return boundaries.slice(1).map((_, i) => cells.accessOf(i, i + 1));
  }

  /**
   * At least so many cells where rows allow, none with much more than its even share of rows or of
   * reads. Numbers are rounded up to powers of two, and each is worked out once.
   */
  cells(cellCount: number): AccessCells {
    const rounded = 2 ** Math.ceil(Math.log2(Math.max(1, cellCount)));
    const known = this.#cellsByCount.get(rounded);
    if (known !== undefined) return known;
    const cells = this.cellsBetween(
      evenCells(this.#rowCount, this.#counts, this.#tailReads, rounded),
    );
    this.#cellsByCount.set(rounded, cells);
    return cells;
  }

  cellsBetween(boundaries: readonly number[]): AccessCells {
    const { rowIds, counts } = this.#counts;
    const cellCount = boundaries.length - 1;
    const bandCount = this.bands.length;
    const rows = new Float64Array(cellCount * bandCount);
    const reads = new Float64Array(cellCount * bandCount);
    const listedRows = new Float64Array(cellCount);
    const cellOf = cellFinder(boundaries);
    let lastCount = 0;
    let band = 0;
    for (let i = 0; i < rowIds.length; i++) {
      const count = counts[i]!;
      // Counts are sorted, so most rows have the class of the row before.
      if (count !== lastCount) band = this.#bandByClass[heatClassOf(count)]!;
      lastCount = count;
      const cell = cellOf(rowIds[i]!);
      const at = cell * bandCount + band;
      rows[at] = rows[at]! + 1;
      reads[at] = reads[at]! + count - this.#discount;
      listedRows[cell] = listedRows[cell]! + 1;
    }
    if (this.#unlistedBand >= 0) {
      for (let cell = 0; cell < cellCount; cell++) {
        const unlisted = boundaries[cell + 1]! - boundaries[cell]! - listedRows[cell]!;
        rows[cell * bandCount + this.#unlistedBand] = unlisted;
        reads[cell * bandCount + this.#unlistedBand] = unlisted * this.#unlistedReads;
      }
    }
    return new AccessCells(boundaries, rows, reads, this.#lru);
  }

  #sortBands(unlisted: number): {
    bands: HeatBand[];
    bandByClass: Int16Array;
    unlistedBand: number;
  } {
    const { counts } = this.#counts;
    const rows = new Float64Array(HEAT_CLASS_COUNT);
    const reads = new Float64Array(HEAT_CLASS_COUNT);
    for (let i = 0; i < counts.length; i++) {
      const heatClass = heatClassOf(counts[i]!);
      rows[heatClass] = rows[heatClass]! + 1;
      reads[heatClass] = reads[heatClass]! + counts[i]! - this.#discount;
    }
    const found: (HeatBand & { readonly heatClass: number })[] = [];
    for (let heatClass = 1; heatClass < HEAT_CLASS_COUNT; heatClass++) {
      if (rows[heatClass] === 0) continue;
      found.push({
        heatClass,
        rows: rows[heatClass]!,
        reads: reads[heatClass]!,
        readsARowMin: lowestCountOf(heatClass) - this.#discount,
        readsARowMax: highestCountOf(heatClass) - this.#discount,
      });
    }
    if (unlisted > 0) {
      const readsARow = this.#unlistedReads;
      const even = { readsARowMin: readsARow, readsARowMax: readsARow };
      found.push({ heatClass: 0, rows: unlisted, reads: unlisted * readsARow, ...even });
    }
    found.sort((a, b) => b.reads / b.rows - a.reads / a.rows || b.heatClass - a.heatClass);
    const bandByClass = new Int16Array(HEAT_CLASS_COUNT).fill(-1);
    for (const [band, { heatClass }] of found.entries()) bandByClass[heatClass] = band;
    return { bands: found, bandByClass, unlistedBand: unlisted > 0 ? bandByClass[0]! : -1 };
  }
}

const NO_COUNTS: RowCounts = { rowIds: new Int32Array(0), counts: new Uint32Array(0) };

/** Finds the cell of a row id: a table of guesses, then a walk, so that it costs about one read. */
function cellFinder(boundaries: readonly number[]): (rowId: number) => number {
  const cellCount = boundaries.length - 1;
  if (cellCount === 1) return () => 0;
  const rowCount = boundaries[cellCount]!;
  const binCount = Math.min(rowCount, cellCount * 8);
  const binsARow = binCount / rowCount;
  const firstCell = new Int32Array(binCount + 1);
  let cell = 0;
  for (let bin = 0; bin <= binCount; bin++) {
    // A row is rounded down to its bin: one row of slack keeps the guess at or before the cell.
    while (cell + 1 < cellCount && boundaries[cell + 1]! <= bin / binsARow - 1) cell++;
    firstCell[bin] = cell;
  }
  return (rowId) => {
    let found = firstCell[Math.floor(rowId * binsARow)]!;
    while (boundaries[found + 1]! <= rowId) found++;
    return found;
  };
}
