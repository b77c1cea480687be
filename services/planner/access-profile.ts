import type { TableStats } from "../../lib/stats/access-stats.js";
import type { RowCounts } from "../../lib/stats/counts-file.js";
import { AccessCells, type HeatBand } from "./access-cells.js";
import { evenCells } from "./even-cells.js";
import { countUnitOf, EXACT_COUNT_MAX, type ExpectedReads, expectReads } from "./expected-reads.js";
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
}

/**
 * How the rows of one table are read, from its statistics where there are any. The expectation is of
 * rows (`expectReads`), so ranges of rows add up to the table however it is cut.
 */
export class AccessProfile {
  readonly #rowCount: number;
  readonly #counts: RowCounts;
  readonly #expected: ExpectedReads;
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
    const tailReads = hasReads ? stats.tailReadCount : 1;
    if (!hasReads) this.#counts = NO_COUNTS;
    else this.#counts = tailReads === 0 ? inUnits(counts) : counts;
    const unlisted = Math.max(0, rowCount - this.#counts.rowIds.length);
    this.#expected = expectReads(this.#counts.counts, hasReads ? stats.tailReadCount : 1, unlisted);
    const { bands, bandByClass, unlistedBand } = this.#sortBands(unlisted);
    this.bands = bands;
    this.#bandByClass = bandByClass;
    this.#unlistedBand = unlistedBand;
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
    return boundariesByReads(this.#rowCount, this.#counts, this.#expected.unlistedReads, shares);
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
      evenCells(this.#rowCount, this.#counts, this.#expected.unlistedReads, rounded),
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
    let readsARow = 0;
    for (let i = 0; i < rowIds.length; i++) {
      const count = counts[i]!;
      // Counts are sorted, so most rows have the class of the row before.
      if (count !== lastCount) {
        band = this.#bandByClass[heatClassOf(count)]!;
        readsARow = this.#readsARow(band, count);
        lastCount = count;
      }
      const cell = cellOf(rowIds[i]!);
      const at = cell * bandCount + band;
      rows[at] = rows[at]! + 1;
      reads[at] = reads[at]! + readsARow;
      listedRows[cell] = listedRows[cell]! + 1;
    }
    if (this.#unlistedBand >= 0) {
      for (let cell = 0; cell < cellCount; cell++) {
        const unlisted = boundaries[cell + 1]! - boundaries[cell]! - listedRows[cell]!;
        const at = cell * bandCount + this.#unlistedBand;
        rows[at] = rows[at]! + unlisted;
        reads[at] = reads[at]! + unlisted * this.#readsARow(this.#unlistedBand, 0);
      }
    }
    return new AccessCells(boundaries, rows, reads);
  }

  /** Rows of a band that spans counts differ by their counts; those of the others are alike. */
  #readsARow(band: number, count: number): number {
    const { isEven, reads, rows } = this.bands[band]!;
    return isEven ? reads / rows : count - this.#expected.discount;
  }

  #sortBands(unlisted: number): {
    bands: HeatBand[];
    bandByClass: Int16Array;
    unlistedBand: number;
  } {
    const { counts } = this.#counts;
    const { discount, byCount, unlistedReads } = this.#expected;
    const rows = new Float64Array(HEAT_CLASS_COUNT);
    const reads = new Float64Array(HEAT_CLASS_COUNT);
    for (let i = 0; i < counts.length; i++) {
      const count = counts[i]!;
      const heatClass = heatClassOf(count);
      rows[heatClass] = rows[heatClass]! + 1;
      reads[heatClass] = reads[heatClass]! + (byCount[count] ?? count - discount);
    }
    rows[0] = unlisted;
    reads[0] = unlistedReads;
    const found: ClassBand[] = [];
    for (let heatClass = HEAT_CLASS_COUNT - 1; heatClass >= 0; heatClass--) {
      if (rows[heatClass]! > 0) {
        addBand(found, bandOf(heatClass, rows[heatClass]!, reads[heatClass]!, discount));
      }
    }
    const bandByClass = new Int16Array(HEAT_CLASS_COUNT).fill(-1);
    for (const [i, { classes }] of found.entries()) {
      for (const heatClass of classes) bandByClass[heatClass] = i;
    }
    return { bands: found, bandByClass, unlistedBand: unlisted > 0 ? bandByClass[0]! : -1 };
  }
}

/** Counts as they were before a sample of the lookups was scaled up. */
function inUnits({ rowIds, counts }: RowCounts): RowCounts {
  const unit = countUnitOf(counts);
  return unit === 1
    ? { rowIds, counts }
    : { rowIds, counts: counts.map((count) => Math.round(count / unit)) };
}

interface ClassBand extends HeatBand {
  readonly classes: readonly number[];
}

function bandOf(heatClass: number, rows: number, reads: number, discount: number): ClassBand {
  const isEven = heatClass < EXACT_COUNT_MAX;
  const mean = reads / rows;
  return {
    classes: [heatClass],
    ...{ rows, reads, isEven },
    readsARowMin: isEven ? mean : lowestCountOf(heatClass) - discount,
    readsARowMax: isEven ? mean : highestCountOf(heatClass) - discount,
  };
}

/**
 * Adds the next band of falling counts. Where rows of a lower count are expected to be read more, as
 * rows that the log did not show may be, the two are taken for alike: no count tells them apart.
 */
function addBand(bands: ClassBand[], added: ClassBand): void {
  let next = added;
  for (let last = bands.at(-1); last !== undefined; last = bands.at(-1)) {
    if (next.reads / next.rows < last.reads / last.rows) break;
    bands.pop();
    const rows = last.rows + next.rows;
    const reads = last.reads + next.reads;
    const even = { isEven: true, readsARowMin: reads / rows, readsARowMax: reads / rows };
    next = { classes: [...last.classes, ...next.classes], rows, reads, ...even };
  }
  bands.push(next);
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
