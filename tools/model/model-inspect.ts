import { Command } from "commander";
import { rowBytesOf } from "../../lib/model/dtype.js";
import { pooledWidthOf } from "../../lib/model/manifest.js";
import { type Model, openModel } from "../../lib/model/model-directory.js";
import { type Column, formatBytes, formatCount, formatTable } from "../cli/table.js";

interface InspectOptions {
  readonly json?: boolean;
}

/** `shardpool model inspect`. */
export function modelInspectCommand(): Command {
  return new Command("inspect")
    .description("Shows what a model directory holds: tables, features, dense part, sizes.")
    .argument("<dir>", "model directory")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  shardpool model inspect models/rm1")
    .action(modelInspect);
}

async function modelInspect(dir: string, options: InspectOptions): Promise<void> {
  const summary = summariseModel(await openModel(dir));
  console.log(options.json ? JSON.stringify(summary) : formatSummary(summary));
}

/** What `model inspect` prints. Byte counts of tables are of rows, without the file's header. */
interface ModelSummary {
  readonly dir: string;
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  readonly denseFeatureCount: number;
  readonly interaction: string;
  readonly tolerance: number;
  readonly pooledWidth: number;
  readonly tables: readonly TableSummary[];
  readonly features: Model["manifest"]["features"];
  readonly files: Model["manifest"]["files"];
  readonly totals: {
    readonly tableCount: number;
    readonly featureCount: number;
    readonly rowCount: number;
    readonly tableBytes: number;
    readonly fileBytes: number;
    /** Row ids a sample, where every feature states its own. */
    readonly poolingFactor: number | null;
  };
}

type TableSummary = Model["manifest"]["tables"][number] & {
  readonly rowBytes: number;
  readonly bytes: number;
};

function summariseModel({ dir, manifest, hash }: Model): ModelSummary {
  const tables = manifest.tables.map((table): TableSummary => {
    const rowBytes = rowBytesOf(table.dtype, table.embeddingDim);
    return { ...table, rowBytes, bytes: table.rowCount * rowBytes };
  });
  const poolingFactors = manifest.features.map((feature) => feature.poolingFactor ?? Number.NaN);
  const poolingFactor = sum(poolingFactors);
  return {
    dir,
    name: manifest.name,
    version: manifest.version,
    hash,
    denseFeatureCount: manifest.denseFeatureCount,
    interaction: manifest.interaction,
    tolerance: manifest.tolerance,
    pooledWidth: pooledWidthOf(manifest),
    tables,
    features: manifest.features,
    files: manifest.files,
    totals: {
      tableCount: tables.length,
      featureCount: manifest.features.length,
      rowCount: sum(tables.map((table) => table.rowCount)),
      tableBytes: sum(tables.map((table) => table.bytes)),
      fileBytes: sum(Object.values(manifest.files).map((file) => file.bytes)),
      poolingFactor: Number.isNaN(poolingFactor) ? null : poolingFactor,
    },
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function formatSummary(summary: ModelSummary): string {
  return [formatHead(summary), formatTables(summary), formatFeatures(summary)].join("\n\n");
}

function formatHead(summary: ModelSummary): string {
  const { totals } = summary;
  return [
    `model ${summary.name} version ${summary.version}`,
    `hash         ${summary.hash}`,
    `dense part   ${formatCount(summary.denseFeatureCount)} dense features, pooled width ${formatCount(summary.pooledWidth)}, interaction ${summary.interaction}`,
    `tolerance    ${summary.tolerance} on a probability`,
    `size         ${formatBytes(totals.fileBytes)} on disk, ${formatBytes(totals.tableBytes)} of it rows`,
  ].join("\n");
}

const TABLE_COLUMNS: readonly Column[] = [
  { title: "table", align: "left" },
  { title: "rows" },
  { title: "dim" },
  { title: "dtype", align: "left" },
  { title: "row bytes" },
  { title: "size" },
  { title: "share" },
  { title: "group", align: "left" },
];

function formatTables({ tables, totals }: ModelSummary): string {
  const rows = tables.map((table) => [
    table.name,
    formatCount(table.rowCount),
    formatCount(table.embeddingDim),
    table.dtype,
    formatCount(table.rowBytes),
    formatBytes(table.bytes),
    `${((100 * table.bytes) / totals.tableBytes).toFixed(1)} %`,
    table.group ?? "",
  ]);
  const total = [
    `${totals.tableCount} in all`,
    formatCount(totals.rowCount),
    "",
    "",
    "",
    formatBytes(totals.tableBytes),
    "",
    "",
  ];
  return formatTable(TABLE_COLUMNS, [...rows, total]);
}

const FEATURE_COLUMNS: readonly Column[] = [
  { title: "feature", align: "left" },
  { title: "table", align: "left" },
  { title: "pooling", align: "left" },
  { title: "ids a sample" },
  { title: "id out of range", align: "left" },
];

function formatFeatures({ features, totals }: ModelSummary): string {
  const rows = features.map((feature) => [
    feature.name,
    feature.table,
    feature.pooling,
    formatIdCount(feature.poolingFactor),
    feature.outOfRange === "default" ? `row ${feature.defaultRow}` : feature.outOfRange,
  ]);
  const total = [
    `${totals.featureCount} in all`,
    "",
    "",
    formatIdCount(totals.poolingFactor ?? undefined),
    "",
  ];
  return formatTable(FEATURE_COLUMNS, [...rows, total]);
}

function formatIdCount(count: number | undefined): string {
  return count === undefined ? "" : Number(count.toFixed(3)).toString();
}
