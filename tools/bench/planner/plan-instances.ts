import { hashJson } from "../../../lib/canonical-json.js";
import { type ModelManifest, parseManifest, tableFileOf } from "../../../lib/model/manifest.js";
import type { ShardSpec } from "../../../lib/plan/plan.js";
import { Random } from "../../../lib/random.js";
import { parseAccessStats } from "../../../lib/stats/access-stats.js";
import type { AccessStatsFile } from "../../../lib/stats/access-stats-file.js";
import type { RowCounts } from "../../../lib/stats/counts-file.js";
import type { ReuseProfile } from "../../clicks/reuse-targets.js";
import { reuseCountsOf } from "./reuse-counts.js";

/** A production-like model to plan: plain data, made anew from its seed. */
export interface PlanInstance {
  readonly name: string;
  readonly tableCount: number;
  readonly shardCount: number;
  readonly profile: ReuseProfile;
  /** One table has nine tenths of all bytes. */
  readonly hasGiant?: boolean;
  /** Cache of the cluster, as a part of all row bytes. */
  readonly cacheFraction: number;
}

/** Table counts of published production models, and the size at which planners are said to slow down. */
export const PLAN_INSTANCES: readonly PlanInstance[] = [
  { name: "39", tableCount: 39, shardCount: 8, profile: "meta-2021", cacheFraction: 0.1 },
  { name: "133", tableCount: 133, shardCount: 16, profile: "meta-2021", cacheFraction: 0.1 },
  { name: "257", tableCount: 257, shardCount: 32, profile: "meta-2022", cacheFraction: 0.1 },
  { name: "1000", tableCount: 1000, shardCount: 128, profile: "meta-2022", cacheFraction: 0.1 },
  {
    name: "giant",
    tableCount: 133,
    shardCount: 16,
    profile: "meta-2021",
    hasGiant: true,
    cacheFraction: 0.1,
  },
];

export interface MadeInstance {
  readonly manifest: ModelManifest;
  readonly stats: AccessStatsFile;
  readonly shards: readonly ShardSpec[];
}

/** Samples of the log that the statistics are of: enough for millions of listed rows in all. */
const READS_LISTED = 20_000_000;
const SAMPLES_A_QUERY = 270;
const ROWS_MAX = 40_000_000;

/**
 * Makes a model and its statistics. Row counts follow a power law from a thousand to tens of millions,
 * and so do pooling factors from 1 to 100, independently; in a fifth of the tables row ids are sorted
 * by how often they are read, as after a frequency cut, else hot rows lie anywhere.
 */
export function makeInstance(instance: PlanInstance, seed: number): MadeInstance {
  const random = new Random(seed, `planner ${instance.name}`);
  const tables = Array.from({ length: instance.tableCount }, (_, i) => ({
    name: `t${String(i).padStart(4, "0")}`,
    rowCount: Math.min(ROWS_MAX, Math.ceil(1000 * (1 - random.nextFloat()) ** -2)),
    poolingFactor: Math.round(Math.min(100, (1 - random.nextFloat()) ** -1.2) * 10) / 10,
    isScattered: random.nextFloat() < 0.8,
  }));
  if (instance.hasGiant === true) makeGiant(tables);
  const readsASample = tables.reduce((sum, table) => sum + table.poolingFactor, 0);
  const sampleCount = Math.round(READS_LISTED / readsASample);
  const countsByTable = new Map(
    tables.map(({ name, rowCount, poolingFactor, isScattered }) => [
      name,
      reuseCountsOf(instance.profile, rowCount, poolingFactor * sampleCount, isScattered),
    ]),
  );
  const manifest = manifestOf(instance.name, tables);
  return {
    manifest,
    stats: statsOf(manifest, countsByTable, sampleCount),
    shards: equalShards(instance.shardCount),
  };
}

interface InstanceTable {
  readonly name: string;
  rowCount: number;
  poolingFactor: number;
  readonly isScattered: boolean;
}

function makeGiant(tables: InstanceTable[]): void {
  const [giant, ...others] = tables as [InstanceTable, ...InstanceTable[]];
  for (const table of others) table.rowCount = Math.min(table.rowCount, 200_000);
  giant.rowCount = others.reduce((sum, table) => sum + table.rowCount, 0) * 9;
  giant.poolingFactor = 20;
}

function manifestOf(name: string, tables: readonly InstanceTable[]): ModelManifest {
  const file = { sha256: "0".repeat(64), bytes: 0 };
  const paths = ["dense.onnx", "golden.npz", ...tables.map((table) => tableFileOf(table.name))];
  return parseManifest({
    formatVersion: 1,
    name: `bench-${name}`,
    version: "1",
    denseFeatureCount: 13,
    tables: tables.map((table) => ({
      name: table.name,
      rowCount: table.rowCount,
      embeddingDim: 64,
      dtype: "float32",
    })),
    features: tables.map((table) => ({
      name: `${table.name}-feature`,
      table: table.name,
      pooling: "sum",
      outOfRange: "error",
      poolingFactor: table.poolingFactor,
    })),
    interaction: "dot",
    tolerance: 1e-6,
    files: Object.fromEntries(paths.map((path) => [path, file])),
  });
}

function statsOf(
  manifest: ModelManifest,
  countsByTable: ReadonlyMap<string, RowCounts>,
  sampleCount: number,
): AccessStatsFile {
  const readsOf = (table: string): number =>
    countsByTable.get(table)!.counts.reduce((sum, count) => sum + count, 0);
  const header = parseAccessStats(
    {
      formatVersion: 1,
      model: { name: manifest.name, version: manifest.version, hash: "1".repeat(64) },
      source: "generated",
      sampleCount,
      queryCount: Math.max(1, Math.round(sampleCount / SAMPLES_A_QUERY)),
      tables: manifest.tables.map(({ name }) => ({
        table: name,
        readCount: readsOf(name),
        distinctRowCount: countsByTable.get(name)!.counts.length,
        listedRowCount: countsByTable.get(name)!.counts.length,
        tailReadCount: 0,
        countErrorMax: 0,
        missRatioCurve: [],
        missRatioError: null,
      })),
      features: manifest.features.map(({ name, table, poolingFactor }) => ({
        feature: name,
        table,
        readCount: readsOf(table),
        poolingFactor,
        bagLengthMax: 1000,
        emptyBagCount: 0,
      })),
      counts: { file: "none.arrow", sha256: "2".repeat(64), rowCount: 0 },
    },
    "bench statistics",
  );
  return { header, hash: hashJson(header), countsOf: (table) => countsByTable.get(table)! };
}

function equalShards(count: number): ShardSpec[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `shard-${i}`,
    memoryBytesMax: Number.MAX_SAFE_INTEGER,
    diskBytesMax: Number.MAX_SAFE_INTEGER,
    weight: 1,
  }));
}
