import type { RowCounts } from "../../lib/stats/counts-file.js";

/** Rows are first counted into this many bins a cell, and at most so many in all. */
const BINS_A_CELL = 16;
const BIN_COUNT_MAX = 1 << 17;

/**
 * Cuts rows into ranges that are even by the mean of their share of rows and their share of reads, as
 * near as bins of equal length allow: a range has at most about twice its even share of either, unless
 * one bin has more.
 *
 * @returns Row ids from 0 to `rowCount`, rising; at most `cellCount` ranges.
 */
export function evenCells(
  rowCount: number,
  { rowIds, counts }: RowCounts,
  tailReads: number,
  cellCount: number,
): number[] {
  if (cellCount <= 1 || rowCount <= 1) return [0, rowCount];
  const binCount = Math.min(rowCount, cellCount * BINS_A_CELL, BIN_COUNT_MAX);
  const binsARow = binCount / rowCount;
  const listed = new Float64Array(binCount);
  let readsTotal = tailReads;
  for (let i = 0; i < rowIds.length; i++) {
    const bin = Math.floor(rowIds[i]! * binsARow);
    listed[bin] = listed[bin]! + counts[i]!;
    readsTotal += counts[i]!;
  }
  // Half by rows, half by reads; unlisted reads lie as rows do.
  const evenShare = (0.5 + (0.5 * tailReads) / Math.max(1, readsTotal)) / binCount;
  const boundaries = [0];
  let done = 0;
  for (let bin = 0; bin < binCount; bin++) {
    done += evenShare + (0.5 * listed[bin]!) / Math.max(1, readsTotal);
    const rowEnd = Math.ceil((bin + 1) / binsARow - 1e-9);
    const isFull = done * cellCount >= boundaries.length;
    if (isFull && rowEnd < rowCount && rowEnd > boundaries.at(-1)!) {
      boundaries.push(rowEnd);
      // A bin that fills several cells leaves none behind to be filled by nothing.
      done = Math.min(done, (boundaries.length - 0.5) / cellCount);
    }
  }
  boundaries.push(rowCount);
  return boundaries;
}
