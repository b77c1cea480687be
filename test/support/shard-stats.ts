import { join } from "node:path";
import type { Model } from "../../lib/model/model-directory.js";
import type { TableStats } from "../../lib/stats/access-stats.js";
import {
  type AccessStatsFile,
  readAccessStats,
  writeAccessStats,
} from "../../lib/stats/access-stats-file.js";
import { heaviestFirst, type RowCounts } from "../../lib/stats/row-counts.js";

/**
 * Statistics of a model's tables on disk, and read again.
 *
 * @param readsOf How often a row was read.
 * @param listedMax Rows listed a table; the rest are the tail.
 */
export async function makeShardStats(
  dir: string,
  model: Model,
  readsOf: (table: string, row: number) => number,
  listedMax = Number.POSITIVE_INFINITY,
): Promise<AccessStatsFile> {
  const countsByTable = new Map<string, RowCounts>();
  const tables = model.manifest.tables.map(({ name, rowCount }) => {
    const rowIds = Int32Array.from({ length: rowCount }, (_, row) => row);
    const reads = Uint32Array.from(rowIds, (row) => readsOf(name, row));
    const all = heaviestFirst(rowIds, reads);
    const listed = {
      rowIds: all.rowIds.slice(0, listedMax),
      counts: all.counts.slice(0, listedMax),
    };
    countsByTable.set(name, listed);
    return tableStatsOf(name, all, listed);
  });
  const path = join(dir, "stats.json");
  await writeAccessStats(
    path,
    {
      model: { name: model.manifest.name, version: model.manifest.version, hash: model.hash },
      source: "test",
      sampleCount: 1,
      queryCount: 1,
      tables,
      features: [],
    },
    countsByTable,
  );
  return readAccessStats(path);
}

function tableStatsOf(table: string, all: RowCounts, listed: RowCounts): TableStats {
  const sum = (counts: Uint32Array): number => counts.reduce((total, count) => total + count, 0);
  const readCount = sum(all.counts);
  return {
    table,
    readCount,
    distinctRowCount: all.rowIds.length,
    distinctRowError: 0,
    listedRowCount: listed.rowIds.length,
    tailReadCount: readCount - sum(listed.counts),
    countErrorMax: 0,
    unlistedCountMax: null,
    queryCount: null,
    reuse: [],
    missRatioCurve: [],
    missRatioError: null,
    missRatioMethod: "none",
    staticMissRatioCurve: [],
  };
}
