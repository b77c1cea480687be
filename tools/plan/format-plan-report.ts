import {
  latencyWarningsOf,
  type PlanReport,
  type TableReport,
} from "../../services/planner/plan-report.js";
import { formatCount, formatTable } from "../cli/table.js";
import { percent, times, us } from "./plan-numbers.js";
import { shardCells, tableCells } from "./report-cells.js";

export interface PlanTextOptions {
  /** Warn where block reads alone take longer; no warnings without it. */
  readonly latencyBoundMs?: number | undefined;
  /** Tables listed, dearest first; the others are summed up in a line. */
  readonly tablesMax?: number;
}

/** Tables of a report unless told: what fits a terminal. */
const TABLES_LISTED = 40;

/** A plan's report as text for a terminal. */
export function formatPlanReport(report: PlanReport, options: PlanTextOptions = {}): string {
  const tables = report.tables.slice(0, options.tablesMax ?? TABLES_LISTED);
  const others = report.tables.length - tables.length;
  return [
    headingOf(report),
    formatTable(SHARD_COLUMNS, report.shards.map(shardCells)),
    balanceOf(report),
    ...costPartsOf(report),
    formatTable(TABLE_COLUMNS, tables.map(tableRow)),
    ...(others > 0
      ? [`and ${others} tables that cost less (plan show --tables N lists more)`]
      : []),
    ...paragraph(formatLatencyWarnings(report, options.latencyBoundMs)),
  ].join("\n\n");
}

function paragraph(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [lines.join("\n")];
}

const SHARD_COLUMNS = [
  { title: "shard", align: "left" },
  { title: "partitions" },
  { title: "row bytes" },
  { title: "cache" },
  { title: "memory" },
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

const PART_COLUMNS = [
  { title: "est. us of", align: "left" },
  { title: "message" },
  { title: "segments" },
  { title: "rows" },
  { title: "blocks" },
  { title: "answer" },
  { title: "in all" },
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

function balanceOf(report: PlanReport): string {
  const { imbalance, criticalPath, quality } = report;
  const lines = [
    `busiest over mean: ${times(imbalance.costUs)} cost, ${times(imbalance.rowsPerQuery)} row reads, ` +
      `${times(imbalance.rowBytes)} row bytes; ${percent(imbalance.costTotalVariation)} of the work lies on the wrong shard`,
    `slowest: ${criticalPath.shard}, ${us(criticalPath.costUs)} us a query; dearest there:`,
    ...criticalPath.partitions.map(({ table, rows, costUs, costShare }) => {
      return `  ${table} rows ${rows}: ${us(costUs)} us, ${percent(costShare)} of it`;
    }),
  ];
  if (quality !== null) lines.push(...qualityOf(report.gap ?? 0, quality));
  return lines.join("\n");
}

function qualityOf(gap: number, quality: NonNullable<PlanReport["quality"]>): string[] {
  const lines = [
    `no plan can have a slowest shard below ${us(quality.boundUs)} us (${quality.boundBy}): ` +
      `this one is ${percent(gap)} above; a query of ${formatCount(quality.querySamples)} samples, costs from ${quality.costSource}`,
  ];
  const helps = (quality.outlook ?? []).map(({ change, slowestUs }) => {
    const gain = 1 - slowestUs / quality.slowestUs;
    return `${change}: ${us(slowestUs)} us (${gain >= 0 ? "-" : "+"}${percent(Math.abs(gain))})`;
  });
  if (helps.length > 0) lines.push(`what would help the slowest: ${helps.join("; ")}`);
  return lines;
}

function costPartsOf(report: PlanReport): string[] {
  const rows = report.shards.flatMap(({ shard, costParts, costUs }) => {
    if (costParts === null || costParts === undefined) return [];
    const { messageUs, segmentsUs, rowsUs, blocksUs, answerUs } = costParts;
    return [[shard, ...[messageUs, segmentsUs, rowsUs, blocksUs, answerUs, costUs].map(us)]];
  });
  return rows.length === 0 ? [] : [formatTable(PART_COLUMNS, rows)];
}

/** A line for each shard whose block reads alone break the bound, worst first; none without a bound. */
export function formatLatencyWarnings(
  report: PlanReport,
  latencyBoundMs: number | undefined,
): string[] {
  if (latencyBoundMs === undefined) return [];
  return latencyWarningsOf(report, latencyBoundMs).map(
    ({ shard, blocksMs }) =>
      `warning: block reads alone take ${shard} ${blocksMs.toFixed(1)} ms a query, ` +
      `the latency bound is ${latencyBoundMs} ms: give it more memory, or plan for more shards`,
  );
}

function tableRow(table: TableReport): string[] {
  const named = table.shards.slice(0, SHARDS_NAMED_MAX).join(" ");
  const others = table.shards.length - SHARDS_NAMED_MAX;
  return [...tableCells(table), others > 0 ? `${named} and ${others} more` : named];
}
