import type { ShardingPlan } from "../../../lib/plan/plan.js";
import {
  describePlan,
  type PlanReport,
  type TableReport,
} from "../../../services/planner/plan-report.js";
import { formatBytes, formatCount } from "../../cli/table.js";
import { formatLatencyWarnings, type PlanTextOptions } from "../format-plan-report.js";
import { oneDigit, percent, us } from "../plan-numbers.js";
import { shardCells, tableCells } from "../report-cells.js";
import { drawColumns } from "./column-chart.js";
import { PAGE_STYLE } from "./page-style.js";
import { bytesChart, costChart, partitionChart } from "./plan-charts.js";
import { escapeXml } from "./svg.js";
import { drawTables } from "./table-treemap.js";

/** A plan as one HTML page that needs nothing else: no script, no network, light and dark. */
export function planPage(
  plan: ShardingPlan,
  { latencyBoundMs }: Pick<PlanTextOptions, "latencyBoundMs"> = {},
): string {
  const report = describePlan(plan);
  const { model, strategy, epoch } = report;
  const title = `Plan of ${model.name} version ${model.version}: ${strategy}, epoch ${epoch}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeXml(title)}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<main>
<h1>${escapeXml(title)}</h1>
<p class="from">${escapeXml(sourceOf(report))}</p>
${tiles(report)}
${formatLatencyWarnings(report, latencyBoundMs).map(warning).join("\n")}
${figure("Microseconds of a query on each shard, by what it is spent on", COST_LEGEND, drawColumns(costChart(report)))}
${figure("The same by partition: a rectangle is a range of a table, the dearest at the bottom", PARTITION_LEGEND, drawColumns(partitionChart(plan)))}
${figure("Row bytes on each shard by partition: the dark part of a rectangle is in memory", BYTES_LEGEND, drawColumns(bytesChart(plan)))}
${figure("Tables by bytes: the darker, the more of the table is in memory", TILE_LEGEND_BYTES, tablesByBytes(report))}
${figure("Tables by estimated microseconds of a query: the darker, the more of it is block reads", TILE_LEGEND_COST, tablesByCost(report))}
<h2>Shards</h2>
${shardTable(report)}
<h2>Tables</h2>
${tableTable(report)}
</main>
</body>
</html>
`;
}

const COST_LEGEND = legend([
  ["blocks", "block reads (SSD)"],
  ["rows", "rows found and pooled"],
  ["answer", "answer bytes"],
  ["segments", "segments and bags"],
  ["message", "message"],
]);
const PARTITION_LEGEND = legend([
  ["blocks", "mostly block reads"],
  ["rows", "mostly work in memory"],
]);
const BYTES_LEGEND = legend([
  ["rows", "in memory"],
  ["rows faint", "on SSD alone"],
]);

const TILE_LEGEND_BYTES = legend([
  ["rows", "all in memory"],
  ["rows faint", "hardly any"],
]);
const TILE_LEGEND_COST = legend([
  ["blocks", "all block reads"],
  ["blocks faint", "all work in memory"],
]);

function legend(entries: readonly (readonly [className: string, name: string])[]): string {
  const items = entries.map(
    ([className, name]) => `<span><i class="${className}"></i>${escapeXml(name)}</span>`,
  );
  return `<p class="legend">${items.join("")}</p>`;
}

function warning(line: string): string {
  return `<p class="warning">${escapeXml(line)}</p>`;
}

function figure(caption: string, legendHtml: string, drawing: string): string {
  return `<figure><figcaption>${escapeXml(caption)}</figcaption>${legendHtml}${drawing}</figure>`;
}

function sourceOf({ statsHash, quality }: PlanReport): string {
  const stats = statsHash === null ? "without statistics" : `statistics ${statsHash.slice(0, 12)}`;
  if (quality === null) return stats;
  return `${stats}; a query of ${formatCount(quality.querySamples)} samples; costs from ${quality.costSource}`;
}

function tiles(report: PlanReport): string {
  const { quality, criticalPath, shards, tables } = report;
  const sum = (values: readonly number[]): number => values.reduce((total, v) => total + v, 0);
  const rowBytes = sum(tables.map((table) => table.rowBytes));
  const cacheBytes = sum(shards.map((shard) => shard.cacheBytes));
  const blocks = sum(shards.map((shard) => shard.blocksPerQuery));
  const entries: [string, string, string][] = [
    ["slowest shard", `${us(criticalPath.costUs)} µs`, criticalPath.shard],
    ["imbalance", `${report.imbalance.costUs.toFixed(2)}×`, "slowest over mean, by cost"],
    ["block reads", oneDigit(blocks), "a query, all shards"],
    ["in memory", formatBytes(cacheBytes), `of ${formatBytes(rowBytes)} of rows`],
  ];
  if (quality !== null) {
    const bound = `above ${us(quality.boundUs)} µs, by ${quality.boundBy}`;
    entries.splice(1, 0, ["gap to the bound", percent(report.gap ?? 0), bound]);
    for (const { change, slowestUs } of quality.outlook ?? []) {
      const gain = slowestUs / quality.slowestUs - 1;
      const sign = gain <= 0 ? "−" : "+";
      entries.push([
        change,
        `${sign}${percent(Math.abs(gain))}`,
        `${us(slowestUs)} µs on the slowest`,
      ]);
    }
  }
  const drawn = entries.map(
    ([name, value, note]) =>
      `<div><dt>${escapeXml(name)}</dt><dd>${escapeXml(value)}</dd><small>${escapeXml(note)}</small></div>`,
  );
  return `<dl class="tiles">${drawn.join("")}</dl>`;
}

function tablesByBytes(report: PlanReport): string {
  return drawTables({
    label: "Tables by bytes",
    tables: report.tables,
    sizeOf: (table) => table.rowBytes,
    shadeOf: (table) => Math.min(1, table.cacheBytes / Math.max(1, table.rowBytes)),
    tooltipOf: tableTooltip,
    format: formatBytes,
    className: "rows",
  });
}

function tablesByCost(report: PlanReport): string {
  return drawTables({
    label: "Tables by estimated microseconds of a query",
    tables: report.tables,
    sizeOf: (table) => table.costUs,
    shadeOf: (table) => table.blocksShare,
    tooltipOf: tableTooltip,
    format: (value) => `${us(value)} µs`,
    className: "blocks",
  });
}

function tableTooltip(table: TableReport): string {
  return [
    table.table,
    `${formatBytes(table.rowBytes)}, ${formatBytes(table.cacheBytes)} in memory`,
    `${us(table.costUs)} µs a query, ${percent(table.blocksShare)} of it block reads`,
    `${formatCount(table.rowsPerQuery)} rows and ${oneDigit(table.blocksPerQuery)} blocks a query`,
    `${table.partitionCount} partitions on ${table.shards.slice(0, 8).join(", ")}${table.shards.length > 8 ? ", …" : ""}`,
  ].join("\n");
}

function shardTable(report: PlanReport): string {
  const heads = [
    "shard",
    "partitions",
    "row bytes",
    "cache",
    "memory",
    "rows/query",
    "load",
    "hit ratio",
    "blocks/query",
    "est. µs",
  ];
  return htmlTable(heads, report.shards.map(shardCells));
}

function tableTable(report: PlanReport): string {
  const heads = [
    "table",
    "partitions",
    "row bytes",
    "cache",
    "pinned rows",
    "rows/query",
    "hit ratio",
    "blocks/query",
    "est. µs",
    "shards",
  ];
  const rows = report.tables.map((table) => [
    ...tableCells(table),
    formatCount(table.shards.length),
  ]);
  return htmlTable(heads, rows);
}

function htmlTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, values: readonly string[]): string =>
    values.map((value) => `<${tag}>${escapeXml(value)}</${tag}>`).join("");
  const body = rows.map((row) => `<tr>${cells("td", row)}</tr>`).join("\n");
  return `<div class="wide"><table><thead><tr>${cells("th", heads)}</tr></thead><tbody>\n${body}\n</tbody></table></div>`;
}
