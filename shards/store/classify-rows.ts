import { ShardpoolError } from "../../lib/errors.js";
import type { AccessStatsFile } from "../../lib/stats/access-stats-file.js";
import { chooseClassSizes } from "./choose-class-sizes.js";
import { RowClasses } from "./row-classes.js";

/** Rows `[rowStart, rowEnd)` of a table of `tableRowCount`. */
export interface RowRange {
  readonly table: string;
  readonly tableRowCount: number;
  readonly rowStart: number;
  readonly rowEnd: number;
}

/**
 * Sorts a partition's rows into classes by how often they were read.
 *
 * @returns Nothing when the statistics do not tell its rows apart: then row-id order is as good.
 * @throws ShardpoolError STATS_INVALID when they lack the table or list a row that it has not.
 */
export function classifyRows(
  stats: AccessStatsFile,
  range: RowRange,
  rowsPerBlock: number,
): RowClasses | undefined {
  const { table, tableRowCount, rowStart, rowEnd } = range;
  const listed = stats.countsOf(table);
  const rowCount = rowEnd - rowStart;
  const rows = new Int32Array(Math.min(rowCount, listed.rowIds.length));
  const counts = new Uint32Array(rows.length);
  let inRange = 0;
  for (let i = 0; i < listed.rowIds.length; i++) {
    const rowId = listed.rowIds[i]!;
    if (rowId < 0 || rowId >= tableRowCount) {
      throw new ShardpoolError(
        "STATS_INVALID",
        `the statistics list row ${rowId} of table ${table}, which has ${tableRowCount} rows`,
      );
    }
    if (rowId < rowStart || rowId >= rowEnd || inRange === rows.length) continue;
    rows[inRange] = rowId - rowStart;
    counts[inRange++] = listed.counts[i]!;
  }
  const { tailReadCount } = stats.header.tables.find((entry) => entry.table === table)!;
  const unlisted = tableRowCount - listed.rowIds.length;
  const tailReads = unlisted > 0 ? (tailReadCount * (rowCount - inRange)) / unlisted : 0;
  const sizes = chooseClassSizes(
    { counts: counts.subarray(0, inRange), rowCount, tailReads },
    rowsPerBlock,
  );
  return sizes.length === 1 ? undefined : fillClasses(rows.subarray(0, inRange), rowCount, sizes);
}

/** @param rows Heaviest first; rows that it lacks are in the last class. */
function fillClasses(rows: Int32Array, rowCount: number, sizes: readonly number[]): RowClasses {
  const classes = new RowClasses(rowCount, sizes.length - 1);
  let at = 0;
  for (const [rowClass, size] of sizes.slice(0, -1).entries()) {
    for (const end = at + size; at < end; at++) classes.put(rows[at]!, rowClass);
  }
  return classes;
}
