import { join } from "node:path";
import type { Model } from "../../../../lib/model/model-directory.js";
import type { TableStats } from "../../../../lib/stats/access-stats.js";
import {
  type AccessStatsFile,
  readAccessStats,
  writeAccessStats,
} from "../../../../lib/stats/access-stats-file.js";
import { heaviestFirst, type RowCounts } from "../../../../lib/stats/row-counts.js";
import type { LookupRequest } from "../../../../shards/index.js";
import type { MicroContext } from "../micro-bench.js";

/** Access statistics of what some batches read, as a file in the run's folder; partition t is table t. */
export async function countBatches(
  model: Model,
  batches: readonly LookupRequest[],
  { runDir }: Pick<MicroContext, "runDir">,
): Promise<AccessStatsFile> {
  const { tables, name, version } = model.manifest;
  const reads = tables.map(({ rowCount }) => new Uint32Array(rowCount));
  for (const { segments } of batches) {
    for (const { partition, values } of segments) {
      const counts = reads[partition]!;
      for (let i = 0; i < values.length; i++) counts[values[i]!]!++;
    }
  }
  const countsByTable = new Map(tables.map((table, t) => [table.name, listRead(reads[t]!)]));
  const path = join(runDir, `${name}-stats.json`);
  await writeAccessStats(
    path,
    {
      model: { name, version, hash: model.hash },
      source: "benchmark",
      sampleCount: batches.reduce((sum, { sampleCount }) => sum + sampleCount, 0),
      queryCount: batches.length,
      tables: [...countsByTable].map(([table, counts]) => tableStatsOf(table, counts)),
      features: [],
    },
    countsByTable,
  );
  return await readAccessStats(path);
}

/** The rows that were read at all. */
function listRead(reads: Uint32Array): RowCounts {
  const rowIds = Int32Array.from(reads.keys()).filter((row) => reads[row]! > 0);
  return heaviestFirst(
    rowIds,
    Uint32Array.from(rowIds, (row) => reads[row]!),
  );
}

function tableStatsOf(table: string, { rowIds, counts }: RowCounts): TableStats {
  return {
    table,
    readCount: counts.reduce((sum, count) => sum + count, 0),
    distinctRowCount: rowIds.length,
    distinctRowError: 0,
    listedRowCount: rowIds.length,
    tailReadCount: 0,
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
