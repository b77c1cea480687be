import { type ReuseHistogram, reuseHistogramOf } from "../../lib/stats/reuse-histogram.js";
import { type CountLevel, fitReuse, type TableReads } from "./reuse-fit.js";
import { reuseDeviation } from "./reuse-targets.js";

/** How often each touched row of each table is read. */
export interface ReuseCounts {
  /** By table name: counts, highest first; as many as the table has touched rows. */
  readonly countsByTable: ReadonlyMap<string, Uint32Array>;
  readonly achieved: ReuseHistogram;
  /** Largest difference of a share from the target's. */
  readonly deviation: number;
}

/**
 * Chooses how many rows of each table are touched and how often each is read, so that the union of
 * all tables has the target's reuse histogram and each table exactly its reads. Whether it came out
 * near enough is for the caller to judge by `deviation`.
 */
export function chooseReuseCounts(
  tables: readonly TableReads[],
  target: ReuseHistogram,
): ReuseCounts {
  const read = tables.filter((table) => table.readCount > 0);
  const fit = fitReuse(read, target);
  const countsByTable = new Map(
    read.map((table, t) => [table.table, roundToRows(table, fit.levels, fit.readsByLevel[t]!)]),
  );
  const achieved = reuseHistogramOf(countsByTable.values());
  return { countsByTable, achieved, deviation: reuseDeviation(achieved, target) };
}

/** Whole rows with whole counts that sum to the table's reads, out of reads by level. */
function roundToRows(
  table: TableReads,
  levels: readonly CountLevel[],
  readsByLevel: Float64Array,
): Uint32Array {
  let rows = 0;
  for (let l = 0; l < levels.length; l++) rows += readsByLevel[l]! / levels[l]!.count;
  const rowMax = Math.min(table.rowCount, table.readCount);
  const touched = Math.min(Math.max(Math.round(rows), 1), rowMax);
  const counts = quantiles(touched, rows / touched, levels, readsByLevel);
  let sum = 0;
  for (let i = 0; i < touched; i++) sum += counts[i]!;
  const rest = spreadOverTop(counts, table.readCount - sum);
  spreadOverAll(counts, rest);
  return counts;
}

/** Counts at evenly spaced places of the distribution, highest first. */
function quantiles(
  touched: number,
  rowsPerPlace: number,
  levels: readonly CountLevel[],
  readsByLevel: Float64Array,
): Uint32Array {
  const counts = new Uint32Array(touched);
  let l = levels.length - 1;
  let rowsBefore = 0;
  let rowsHere = readsByLevel[l]! / levels[l]!.count;
  for (let i = 0; i < touched; i++) {
    const place = (i + 0.5) * rowsPerPlace;
    while (l > 0 && rowsBefore + rowsHere < place) {
      rowsBefore += rowsHere;
      l--;
      rowsHere = readsByLevel[l]! / levels[l]!.count;
    }
    const { low, high } = levels[l]!;
    const depth = rowsHere > 0 ? Math.min((place - rowsBefore) / rowsHere, 1) : 0;
    counts[i] = Math.round(high * (low / high) ** depth);
  }
  return counts;
}

const TOP_BIN_LOW = 65;

/**
 * Changes counts of the top bin, in proportion and within it, to add `missing` reads (negative to
 * take away). Other bins hold small counts, where a change would move rows to the next bin.
 *
 * @returns What could not be placed.
 */
function spreadOverTop(counts: Uint32Array, missing: number): number {
  let topCount = 0;
  let spare = 0;
  while (topCount < counts.length && counts[topCount]! >= TOP_BIN_LOW) {
    spare += counts[topCount]! - TOP_BIN_LOW;
    topCount++;
  }
  const wanted = Math.max(spare + missing, 0);
  if (topCount === 0 || missing === 0) return missing;
  let placed = 0;
  for (let i = 0; i < topCount; i++) {
    // With nothing to scale, every row gets the same.
    const share = spare > 0 ? (counts[i]! - TOP_BIN_LOW) / spare : 1 / topCount;
    const extra = Math.floor(wanted * share);
    counts[i] = TOP_BIN_LOW + extra;
    placed += extra;
  }
  // Less than one read a row is left over by rounding down.
  for (let i = 0; placed < wanted; i = (i + 1) % topCount) {
    counts[i]! += 1;
    placed += 1;
  }
  return spare + missing - placed;
}

/** Adds reads one by one from the highest count down, or takes them where more than one is left. */
function spreadOverAll(counts: Uint32Array, missing: number): void {
  let left = missing;
  if (left > 0) {
    const each = Math.floor(left / counts.length);
    for (let i = 0; i < counts.length; i++) counts[i]! += each + (i < left % counts.length ? 1 : 0);
    return;
  }
  while (left < 0) {
    for (let i = 0; i < counts.length && left < 0; i++) {
      if (counts[i]! === 1) break;
      counts[i]! -= 1;
      left += 1;
    }
  }
}
