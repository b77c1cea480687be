import type { MissRatioPoint, TableStats } from "./access-stats.js";
import { REUSE_THRESHOLDS } from "./reuse-histogram.js";

/** Reads of single rows of a table, heaviest first; rows of one count in rising order. */
export interface RowCounts {
  readonly rowIds: Int32Array;
  readonly counts: Uint32Array;
}

export const NO_COUNTS: RowCounts = { rowIds: new Int32Array(0), counts: new Uint32Array(0) };

/** Counts up to here are sorted by counting, the few above by comparing. */
const COUNTED_COUNT_MAX = 65_535;

/** Rows on a curve grow by this factor from point to point: 2^(1/4). */
const CURVE_STEP = 2 ** 0.25;

/**
 * Rows with their reads, sorted heaviest first; rows without reads are left out.
 *
 * @param rowIds Rising, so that rows of one count stay so.
 */
export function heaviestFirst(rowIds: Int32Array, counts: Uint32Array): RowCounts {
  const starts = new Uint32Array(COUNTED_COUNT_MAX + 2);
  const heavy: number[] = [];
  let touched = 0;
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!;
    if (count === 0) continue;
    touched++;
    if (count > COUNTED_COUNT_MAX) heavy.push(i);
    else starts[count]!++;
  }
  heavy.sort((a, b) => counts[b]! - counts[a]! || a - b);
  let position = heavy.length;
  for (let count = COUNTED_COUNT_MAX; count >= 1; count--) {
    const length = starts[count]!;
    starts[count] = position;
    position += length;
  }
  const sorted = { rowIds: new Int32Array(touched), counts: new Uint32Array(touched) };
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!;
    if (count === 0 || count > COUNTED_COUNT_MAX) continue;
    const at = starts[count]!++;
    sorted.rowIds[at] = rowIds[i]!;
    sorted.counts[at] = count;
  }
  heavy.forEach((i, at) => {
    sorted.rowIds[at] = rowIds[i]!;
    sorted.counts[at] = counts[i]!;
  });
  return sorted;
}

/** Sum of all counts. */
export function readsOf({ counts }: RowCounts): number {
  let reads = 0;
  for (let i = 0; i < counts.length; i++) reads += counts[i]!;
  return reads;
}

/**
 * Rows and reads above each reuse threshold that rows outside the list cannot change.
 *
 * @param unlistedCountMax No row outside the list was read more often.
 */
export function reuseBinsOf({ counts }: RowCounts, unlistedCountMax: number): TableStats["reuse"] {
  const bins: { above: (typeof REUSE_THRESHOLDS)[number]; rowCount: number; readCount: number }[] =
    [];
  let rowCount = 0;
  let readCount = 0;
  for (const above of REUSE_THRESHOLDS) {
    if (above < unlistedCountMax) break;
    for (; rowCount < counts.length && counts[rowCount]! > above; rowCount++) {
      readCount += counts[rowCount]!;
    }
    bins.push({ above, rowCount, readCount });
  }
  return bins;
}

/**
 * Share of reads missed when the heaviest `rows` rows stay in memory, by rising `rows`.
 *
 * @param tailRows Rows that were read and are not listed; their reads are taken for equal.
 */
export function staticMissRatioCurveOf(
  { counts }: RowCounts,
  tailRows: number,
  tailReads: number,
): MissRatioPoint[] {
  const listedReads = readsOf({ rowIds: NO_COUNTS.rowIds, counts });
  const reads = listedReads + tailReads;
  if (reads === 0) return [];
  const points: MissRatioPoint[] = [{ rows: 0, missRatio: 1 }];
  let listed = 0;
  let held = 0;
  const rowCount = counts.length + tailRows;
  for (let rows = 1; ; rows = nextCurveRows(rows)) {
    const upTo = Math.min(rows, rowCount);
    for (; listed < Math.min(upTo, counts.length); listed++) held += counts[listed]!;
    const tailHeld =
      tailRows === 0 ? 0 : (Math.max(0, upTo - counts.length) / tailRows) * tailReads;
    points.push({ rows: upTo, missRatio: clampShare(1 - (held + tailHeld) / reads) });
    if (upTo === rowCount) return points;
  }
}

/** The next size on a curve: 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, … */
export function nextCurveRows(rows: number): number {
  return Math.max(rows + 1, Math.ceil(rows * CURVE_STEP));
}

function clampShare(value: number): number {
  return Math.min(1, Math.max(0, value));
}
