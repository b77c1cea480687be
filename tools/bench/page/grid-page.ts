import { formatRatio } from "../grid/format-grid.js";
import type { MeasuredCell } from "../grid/grid-cell.js";
import type { GridResult } from "../grid/run-grid.js";
import { formatMs, formatPercent } from "../load/format-numbers.js";
import { STAGES } from "../load/stages.js";
import {
  type Chart,
  COLORS,
  escapeHtml,
  GRID,
  LEGEND,
  renderChart,
  valueAxisAcross,
} from "./chart.js";
import { htmlFacts, htmlPage, htmlTable, htmlTiles } from "./page.js";

const STAGE_COLORS: readonly string[] = [
  COLORS.grey,
  COLORS.sky,
  COLORS.amber,
  "#7a5c00",
  COLORS.green,
  COLORS.orange,
  COLORS.purple,
  COLORS.blue,
  COLORS.light,
];

/** A grid as one HTML page that needs nothing else. */
export function renderGridPage(result: GridResult): string {
  const cells = result.cells.filter((cell) => cell.status === "measured");
  const cores = `${result.environment.coreCount} cores`;
  const title = `What distribution costs: ${result.model.name} version ${result.model.version}`;
  const body = [
    `<h1>${escapeHtml(title)}</h1>`,
    `<p class="sub">Sharding strategies on one machine with ${cores}, against frontend and engines in one process; one query in flight. The question is that of Lui et al., Understanding Capacity-Driven Scale-Out Neural Recommendation Inference (ISPASS 2021).</p>`,
    tiles(cells),
    cells.length === 0 ? "" : charts(cells),
    "<h2>All cells</h2>",
    cellTable(cells),
    refusedTable(result),
    facts(result),
    "<footer>Written by shardpool bench grid.</footer>",
  ];
  return htmlPage(title, body.filter((part) => part !== "").join("\n"));
}

function tiles(cells: readonly MeasuredCell[]): string {
  const best = cells.toSorted((a, b) => a.overhead.p99 - b.overhead.p99)[0];
  if (best === undefined) return "<p>No cell was measured.</p>";
  return htmlTiles([
    [`${best.strategy}, ${best.shardCount}`, "strategy and shards with the least p99 overhead"],
    [formatRatio(best.overhead.p50), "its p50 over the single process"],
    [formatRatio(best.overhead.p99), "its p99 over the single process"],
    [formatRatio(best.overhead.cpu), "its CPU time over the single process"],
  ]);
}

function nameOf({ strategy, shardCount }: MeasuredCell): string {
  return `${strategy} ${shardCount}`;
}

function charts(cells: readonly MeasuredCell[]): string {
  return [
    "<h2>Overheads</h2>",
    renderChart(ratioChart(cells)),
    renderChart(stageStackChart(cells)),
    renderChart(cpuChart(cells)),
  ].join("");
}

function ratioChart(cells: readonly MeasuredCell[]): Chart {
  const bar = (name: string, color: string, value: (cell: MeasuredCell) => number) => ({
    name,
    type: "bar",
    data: cells.map((cell) => Number(value(cell).toFixed(3))),
    itemStyle: { color },
    barGap: "0%",
    // The ratio of 1, where a cluster costs nothing.
    markLine: {
      silent: true,
      symbol: "none",
      lineStyle: { color: "#555", type: "dashed" },
      label: { show: false },
      data: [{ xAxis: 1 }],
    },
  });
  return {
    title: "Cluster over single process.",
    note: "The median of the rounds' own ratios; 1 (dashed) is no overhead.",
    height: 90 + 52 * cells.length,
    option: (width) => ({
      legend: LEGEND,
      grid: { ...GRID, top: 34 },
      xAxis: valueAxisAcross("ratio", width),
      yAxis: categories(cells),
      series: [
        bar("p50", COLORS.sky, ({ overhead }) => overhead.p50),
        bar("p90", COLORS.blue, ({ overhead }) => overhead.p90),
        bar("p99", COLORS.orange, ({ overhead }) => overhead.p99),
        bar("CPU", COLORS.purple, ({ overhead }) => overhead.cpu),
      ],
    }),
  };
}

function stageStackChart(cells: readonly MeasuredCell[]): Chart {
  return {
    title: "Where a mean query's time goes.",
    note: "Stages of each cluster, end to end.",
    height: 110 + 30 * cells.length,
    option: (width) => ({
      legend: { ...LEGEND, itemGap: 14 },
      grid: { ...GRID, top: width === "wide" ? 34 : 72 },
      xAxis: valueAxisAcross("ms", width),
      yAxis: categories(cells),
      series: STAGES.map(({ name }, stage) => ({
        name,
        type: "bar",
        stack: "time",
        barMaxWidth: 18,
        itemStyle: { color: STAGE_COLORS[stage] },
        data: cells.map(({ cluster }) => cluster.stagesMs?.[name] ?? 0),
      })),
    }),
  };
}

function cpuChart(cells: readonly MeasuredCell[]): Chart {
  const frontendMs = ({ cluster }: MeasuredCell): number => cluster.cpuMsByProcess["frontend"] ?? 0;
  const bar = (name: string, color: string, stack: string, ms: (cell: MeasuredCell) => number) => ({
    name,
    type: "bar",
    stack,
    barMaxWidth: 14,
    itemStyle: { color },
    data: cells.map(ms),
  });
  return {
    title: "CPU time a query.",
    note: "Frontend and all shards, beside the single process of the same minutes.",
    height: 90 + 44 * cells.length,
    option: (width) => ({
      legend: LEGEND,
      grid: { ...GRID, top: width === "wide" ? 34 : 52 },
      xAxis: valueAxisAcross("CPU ms", width),
      yAxis: categories(cells),
      series: [
        bar("frontend", COLORS.sky, "cluster", frontendMs),
        bar("shards", COLORS.purple, "cluster", (cell) => cell.cluster.cpuMs - frontendMs(cell)),
        bar("single process", COLORS.grey, "single", ({ single }) => single.cpuMs),
      ],
    }),
  };
}

function categories(cells: readonly MeasuredCell[]) {
  return { type: "category", data: cells.map(nameOf), inverse: true, axisTick: { show: false } };
}

function cellTable(cells: readonly MeasuredCell[]): string {
  const titles = [
    ...["strategy", "shards", "used", "partitions", "estimate ms", "p50 ms", "p90 ms", "p99 ms"],
    ...["single p50 ms", "single p99 ms", "p50", "p90", "p99", "CPU ms", "CPU", "hit ratio"],
  ];
  return htmlTable(
    titles.map((title) => ({ title })),
    cells.map((cell) => [
      cell.strategy,
      ...[cell.shardCount, cell.shardsUsed, cell.partitionCount].map(String),
      formatMs(cell.estimateUs / 1000),
      ...[cell.cluster.latencyMs.p50, cell.cluster.latencyMs.p90, cell.cluster.latencyMs.p99].map(
        formatMs,
      ),
      ...[cell.single.latencyMs.p50, cell.single.latencyMs.p99].map(formatMs),
      ...[cell.overhead.p50, cell.overhead.p90, cell.overhead.p99].map(formatRatio),
      formatMs(cell.cluster.cpuMs),
      formatRatio(cell.overhead.cpu),
      cell.cluster.hitRatio === null ? "–" : formatPercent(cell.cluster.hitRatio),
    ]),
  );
}

function refusedTable({ cells }: GridResult): string {
  const refused = cells.filter((cell) => cell.status !== "measured");
  if (refused.length === 0) return "";
  return `<h2>Not measured</h2>${htmlTable(
    [{ title: "strategy" }, { title: "shards" }, { title: "why", isText: true }],
    refused.map(({ strategy, shardCount, status, reason }) => [
      strategy,
      String(shardCount),
      `${status}: ${reason}`,
    ]),
  )}`;
}

function facts({ environment, clicks, options, finishedAt, model }: GridResult): string {
  const samples = (clicks.sampleCount / clicks.queryCount).toFixed(1);
  return `<h2>What was measured, and on what</h2>${htmlFacts([
    ["model", `${model.name} version ${model.version} (${model.hash.slice(0, 12)})`],
    ["queries", `${clicks.queryCount} of ${clicks.file}, ${samples} samples each on average`],
    [
      "runs",
      `${options.rounds} rounds of ${options.seconds} s a side, cluster and single process in turns, cache for ${formatPercent(options.cacheFraction)} of the row bytes`,
    ],
    [
      "machine",
      `${environment.coreCount} cores (${environment.cpu}) shared by all processes and the client, load average ${environment.loadAverageBefore.toFixed(1)}`,
    ],
    ["software", `shardpool ${environment.shardpoolVersion}, Node ${environment.node}`],
    ["finished", finishedAt],
  ])}`;
}
