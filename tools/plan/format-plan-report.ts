import type { PlanReport, ShardReport, TableReport } from "../../services/planner/plan-report.js";
import { formatBytes, formatCount, formatTable } from "../cli/table.js";

/** A plan's report as text for a terminal. */
export function formatPlanReport(report: PlanReport): string {
  return [
    headingOf(report),
    formatTable(SHARD_COLUMNS, report.shards.map(shardRow)),
    balanceOf(report),
    formatTable(TABLE_COLUMNS, report.tables.map(tableRow)),
  ].join("\n\n");
}

const SHARD_COLUMNS = [
  { title: "shard", align: "left" },
  { title: "partitions" },
  { title: "row bytes" },
  { title: "cache" },
  { title: "rows/query" },
  { title: "load" },
  { title: "hit ratio" },
  { title: "blocks/query" },
  { title: "est. us" },
] as const;

const TABLE_COLUMNS = [
  { title: "table", align: "left" },
  { title: "partitions" },
  { title: "row bytes" },
  { title: "cache" },
  { title: "pinned rows" },
  { title: "rows/query" },
  { title: "hit ratio" },
  { title: "blocks/query" },
  { title: "est. us" },
  { title: "on", align: "left" },
] as const;

/** Shards named in a table's row; more only make the line long. */
const SHARDS_NAMED_MAX = 4;

function headingOf({ model, strategy, epoch, statsHash }: PlanReport): string {
  const from =
    statsHash === null
      ? "without statistics: all rows are taken for equally likely"
      : `from statistics ${statsHash.slice(0, 12)}`;
  return (
    `plan of model ${model.name} version ${model.version} (${model.hash.slice(0, 12)}), ` +
    `strategy ${strategy}, epoch ${epoch}\n${from}`
  );
}

function balanceOf({ imbalance, criticalPath, quality }: PlanReport): string {
  const lines = [
    `busiest over mean: ${times(imbalance.costUs)} cost, ${times(imbalance.rowsPerQuery)} row reads, ` +
      `${times(imbalance.rowBytes)} row bytes; ${percent(imbalance.costTotalVariation)} of the work lies on the wrong shard`,
    `slowest: ${criticalPath.shard}, ${us(criticalPath.costUs)} us a query, of it ` +
      criticalPath.partitions
        .map(({ table, rows, costUs }) => `${table} rows ${rows} ${us(costUs)} us`)
        .join(", "),
  ];
  if (quality !== null) lines.push(qualityOf(quality));
  return lines.join("\n");
}

function qualityOf(quality: NonNullable<PlanReport["quality"]>): string {
  const gap = quality.boundUs === 0 ? 0 : quality.slowestUs / quality.boundUs - 1;
  return (
    `no plan can have a slowest shard below ${us(quality.boundUs)} us (${quality.boundBy}): ` +
    `this one is within ${percent(gap)}; a query of ${formatCount(quality.querySamples)} samples, costs from ${quality.costSource}`
  );
}

function shardRow(shard: ShardReport): string[] {
  return [
    shard.weight === 1 ? shard.shard : `${shard.shard} (weight ${shard.weight})`,
    formatCount(shard.partitionCount),
    formatBytes(shard.rowBytes),
    formatBytes(shard.cacheBytes),
    formatCount(shard.rowsPerQuery),
    percent(shard.loadShare),
    ratio(shard.hitRatio),
    oneDigit(shard.blocksPerQuery),
    us(shard.costUs),
  ];
}

function tableRow(table: TableReport): string[] {
  const named = table.shards.slice(0, SHARDS_NAMED_MAX).join(" ");
  const others = table.shards.length - SHARDS_NAMED_MAX;
  return [
    table.table,
    formatCount(table.partitionCount),
    formatBytes(table.rowBytes),
    formatBytes(table.cacheBytes),
    formatCount(table.pinnedRows),
    formatCount(table.rowsPerQuery),
    ratio(table.hitRatio),
    oneDigit(table.blocksPerQuery),
    us(table.costUs),
    others > 0 ? `${named} and ${others} more` : named,
  ];
}

function us(value: number): string {
  return value < 100 ? value.toFixed(1) : formatCount(value);
}

function oneDigit(value: number): string {
  return value < 100 ? value.toFixed(1) : formatCount(value);
}

function times(value: number): string {
  return `${value.toFixed(2)}x`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function ratio(value: number | null): string {
  return value === null ? "-" : value.toFixed(3);
}
