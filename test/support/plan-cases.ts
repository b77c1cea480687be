import { hashJson } from "../../lib/canonical-json.js";
import type { Dtype } from "../../lib/model/dtype.js";
import { type ModelManifest, parseManifest, tableFileOf } from "../../lib/model/manifest.js";
import type { ShardSpec } from "../../lib/plan/plan.js";
import { type AccessStats, parseAccessStats } from "../../lib/stats/access-stats.js";
import type { AccessStatsFile } from "../../lib/stats/access-stats-file.js";
import type { RowCounts } from "../../lib/stats/counts-file.js";

/** One table of a model to plan, with the features that read it. */
export interface PlanTable {
  readonly name: string;
  readonly rowCount: number;
  readonly embeddingDim?: number;
  readonly dtype?: Dtype;
  readonly group?: string;
  /** Row ids a sample, one entry a feature; one single-hot feature unless told. */
  readonly poolingFactors?: readonly number[];
}

/** The manifest of a model with these tables; its files are named and not there. */
export function planManifest(tables: readonly PlanTable[]): ModelManifest {
  const file = { sha256: "0".repeat(64), bytes: 0 };
  const paths = ["dense.onnx", "golden.npz", ...tables.map((table) => tableFileOf(table.name))];
  return parseManifest({
    formatVersion: 1,
    name: "planned",
    version: "1",
    denseFeatureCount: 1,
    tables: tables.map(({ name, rowCount, embeddingDim = 16, dtype = "float32", group }) => ({
      name,
      rowCount,
      embeddingDim,
      dtype,
      ...(group === undefined ? {} : { group }),
    })),
    features: tables.flatMap(({ name, poolingFactors = [1] }) =>
      poolingFactors.map((poolingFactor, i) => ({
        name: `${name}-f${i}`,
        table: name,
        pooling: "sum",
        outOfRange: "error",
        poolingFactor,
      })),
    ),
    interaction: "cat",
    tolerance: 1e-6,
    files: Object.fromEntries(paths.map((path) => [path, file])),
  });
}

export interface StatsOptions {
  readonly sampleCount?: number;
  readonly queryCount?: number;
  readonly tailReadsOf?: Readonly<Record<string, number>>;
}

/** Statistics in which a table's row `rowId` was read `counts[rowId]` times; zeros are not listed. */
export function planStats(
  manifest: ModelManifest,
  countsByTable: Readonly<Record<string, readonly number[]>>,
  { sampleCount = 1000, queryCount = 10, tailReadsOf = {} }: StatsOptions = {},
): AccessStatsFile {
  const listed = new Map(
    Object.entries(countsByTable).map(([table, counts]) => [table, heaviestFirst(counts)]),
  );
  const empty = heaviestFirst([]);
  const header: AccessStats = parseAccessStats(
    {
      formatVersion: 1,
      model: { name: manifest.name, version: manifest.version, hash: "1".repeat(64) },
      source: "test",
      sampleCount,
      queryCount,
      tables: manifest.tables.map(({ name }) => tableStats(name, listed.get(name) ?? empty)),
      features: manifest.features.map((feature) => ({
        feature: feature.name,
        table: feature.table,
        readCount: 0,
        poolingFactor: feature.poolingFactor,
        bagLengthMax: 100,
        emptyBagCount: 0,
      })),
      counts: { file: "stats.arrow", sha256: "2".repeat(64), rowCount: 0 },
    },
    "test statistics",
  );
  return {
    header,
    hash: hashJson(header),
    countsOf: (table) => listed.get(table) ?? empty,
  };

  function tableStats(table: string, { counts }: RowCounts): Record<string, unknown> {
    const listedReads = counts.reduce((sum, value) => sum + value, 0);
    const tailReadCount = tailReadsOf[table] ?? 0;
    return {
      table,
      readCount: listedReads + tailReadCount,
      distinctRowCount: counts.length,
      listedRowCount: counts.length,
      tailReadCount,
      countErrorMax: 0,
      missRatioCurve: [],
      missRatioError: null,
    };
  }
}

/** The counts file's order: heaviest first, equal counts by row id. */
export function heaviestFirst(counts: readonly number[]): RowCounts {
  const rows = counts
    .map((count, rowId) => ({ rowId, count }))
    .filter(({ count }) => count > 0)
    .toSorted((a, b) => b.count - a.count || a.rowId - b.rowId);
  return {
    rowIds: Int32Array.from(rows, ({ rowId }) => rowId),
    counts: Uint32Array.from(rows, ({ count }) => count),
  };
}

/** So many equal shards, without limits unless told. */
export function equalShards(count: number, limits: Partial<ShardSpec> = {}): ShardSpec[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `shard-${i}`,
    memoryBytesMax: Number.MAX_SAFE_INTEGER,
    diskBytesMax: Number.MAX_SAFE_INTEGER,
    weight: 1,
    ...limits,
  }));
}
