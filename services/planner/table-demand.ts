import { ShardpoolError } from "../../lib/errors.js";
import { rowBytesOf } from "../../lib/model/dtype.js";
import type { ModelManifest, ModelTable } from "../../lib/model/manifest.js";
import { rowsPerBlockOf } from "../../lib/model/rows-per-block.js";
import type { AccessStatsFile } from "../../lib/stats/access-stats-file.js";
import type { RowCounts } from "../../lib/stats/counts-file.js";
import { AccessProfile } from "./access-profile.js";
import { compareIds } from "./compare-ids.js";
import type { CostCoefficients } from "./cost-model.js";
import { memoryBytesOf } from "./shard-memory.js";

/** What a mean query asks of one table. */
export interface TableDemand {
  readonly table: ModelTable;
  readonly rowBytes: number;
  /** Row bytes of the whole table. */
  readonly bytes: number;
  /** Features that read it: bags a sample. */
  readonly featureCount: number;
  /** Samples of a mean query. */
  readonly querySamples: number;
  readonly readsPerQuery: number;
  readonly profile: AccessProfile;
}

/** Samples a query when nobody said: the mean of MLPerf's server scenario. */
export const QUERY_SAMPLES_DEFAULT = 270;

/** A feature is taken for single-hot when neither statistics nor the model say more. */
const POOLING_FACTOR_DEFAULT = 1;

/** Mean samples a query: what was asked for, else as in the statistics, else MLPerf's. */
export function querySamplesOf(stats: AccessStatsFile | null, asked: number | undefined): number {
  if (asked !== undefined) return asked;
  if (stats === null || stats.header.queryCount === 0) return QUERY_SAMPLES_DEFAULT;
  return stats.header.sampleCount / stats.header.queryCount;
}

/**
 * The demand on each table of the model, by name. Statistics may be of another version of the model:
 * weights change, ids stay.
 *
 * @throws ShardpoolError STATS_INVALID when they list rows that a table does not have.
 */
export function describeDemand(
  manifest: ModelManifest,
  stats: AccessStatsFile | null,
  querySamples: number,
): TableDemand[] {
  const tableStats = new Map(stats?.header.tables.map((table) => [table.table, table]));
  const measured = new Map(
    stats?.header.features.map((feature) => [feature.feature, feature.poolingFactor]),
  );
  return manifest.tables
    .toSorted((a, b) => compareIds(a.name, b.name))
    .map((table) => {
      // By name, so that sums do not depend on the order in which features are declared.
      const features = manifest.features
        .filter((feature) => feature.table === table.name)
        .toSorted((a, b) => compareIds(a.name, b.name));
      const readsPerSample = features.reduce(
        (sum, feature) =>
          sum + (measured.get(feature.name) ?? feature.poolingFactor ?? POOLING_FACTOR_DEFAULT),
        0,
      );
      const rowBytes = rowBytesOf(table.dtype, table.embeddingDim);
      const ofTable = tableStats.get(table.name);
      const counts = ofTable === undefined ? undefined : stats?.countsOf(table.name);
      if (counts !== undefined) assertRowsExist(table, counts);
      return {
        table,
        rowBytes,
        bytes: rowBytes * table.rowCount,
        featureCount: features.length,
        querySamples,
        readsPerQuery: readsPerSample * querySamples,
        profile: new AccessProfile(table.rowCount, ofTable, counts),
      };
    });
}

/** Memory that the tables need at least, each in one partition, all on one shard. */
export function leastMemoryOf(
  demands: readonly TableDemand[],
  coefficients: CostCoefficients,
): number {
  const rowCount = demands.reduce((sum, { table }) => sum + table.rowCount, 0);
  const cacheBytes = demands.reduce((sum, { rowBytes, bytes }) => {
    return sum + Math.min(bytes, rowsPerBlockOf(rowBytes, coefficients.blockBytes) * rowBytes);
  }, 0);
  return memoryBytesOf(rowCount, cacheBytes);
}

function assertRowsExist(table: ModelTable, { rowIds }: RowCounts): void {
  let largest = -1;
  let smallest = 0;
  for (let i = 0; i < rowIds.length; i++) {
    largest = Math.max(largest, rowIds[i]!);
    smallest = Math.min(smallest, rowIds[i]!);
  }
  if (smallest >= 0 && largest < table.rowCount) return;
  throw new ShardpoolError(
    "STATS_INVALID",
    `statistics list row ${smallest < 0 ? smallest : largest} of table ${table.name}, which has ${table.rowCount} rows`,
  );
}
