import type { RowCounts } from "./row-counts.js";

/** The rows of one table and what one of them takes. */
export interface SizedCounts {
  readonly counts: RowCounts;
  readonly rowBytes: number;
}

/** The smallest set of rows that gets a share of all reads. */
export interface HotRows {
  readonly rowCount: number;
  readonly bytes: number;
}

/**
 * The hot rows over several tables: those with the most reads a byte, until they take `share` of
 * `readCount` reads. What a memory tier needs at the least for that hit ratio, by hindsight.
 *
 * @returns null when the listed rows have fewer reads than that.
 */
export function hotRowsFor(
  tables: readonly SizedCounts[],
  readCount: number,
  share: number,
): HotRows | null {
  // Rows of one table and count are alike, so there are few levels, however many rows.
  const levels = tables
    .flatMap(levelsOf)
    .sort((a, b) => b.count / b.rowBytes - a.count / a.rowBytes);
  let missing = readCount * share;
  let rowCount = 0;
  let bytes = 0;
  for (const level of levels) {
    if (missing <= 0) break;
    const rows = Math.min(level.rowCount, Math.ceil(missing / level.count));
    rowCount += rows;
    bytes += rows * level.rowBytes;
    missing -= rows * level.count;
  }
  return missing > 0 ? null : { rowCount, bytes };
}

interface Level {
  readonly count: number;
  readonly rowCount: number;
  readonly rowBytes: number;
}

function levelsOf({ counts: { counts }, rowBytes }: SizedCounts): Level[] {
  const levels: Level[] = [];
  for (let start = 0; start < counts.length; ) {
    let end = start + 1;
    while (end < counts.length && counts[end] === counts[start]) end++;
    levels.push({ count: counts[start]!, rowCount: end - start, rowBytes });
    start = end;
  }
  return levels;
}
