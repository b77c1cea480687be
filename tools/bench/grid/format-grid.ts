import { formatTable } from "../../cli/table.js";
import { formatMs, formatPercent } from "../load/format-numbers.js";
import type { GridCell, MeasuredCell } from "./grid-cell.js";
import type { GridResult } from "./run-grid.js";

const COLUMNS = [
  { title: "strategy", align: "left" },
  { title: "shards" },
  { title: "estimate ms" },
  { title: "p50 ms" },
  { title: "p90 ms" },
  { title: "p99 ms" },
  { title: "p50" },
  { title: "rounds" },
  { title: "p90" },
  { title: "p99" },
  { title: "CPU ms" },
  { title: "CPU" },
  { title: "hit ratio" },
] as const;

/** A grid as text: each cluster's latency, and its ratios to the single process of the same minutes. */
export function formatGrid(result: GridResult): string {
  const { cells, environment, options, clicks } = result;
  const measured = cells.filter((cell) => cell.status === "measured");
  const lines = [
    `Overheads of a cluster over one process: ${result.model.name} version ${result.model.version}`,
    `${environment.coreCount} cores (${environment.cpu}) for all processes and the client; one query in flight`,
    `${options.rounds} rounds of ${options.seconds} s each side, in turns; ${(clicks.sampleCount / clicks.queryCount).toFixed(1)} samples a query; cache for ${formatPercent(options.cacheFraction)} of the row bytes`,
    "",
    formatTable(
      COLUMNS.map((column) => ({ ...column })),
      measured.map(rowOf),
    ),
    "",
    "p50, p90, p99 and CPU without a unit: cluster over single process, the median of the rounds' own ratios;",
    "rounds: the rounds' own p50 ratios",
    ...cells.flatMap((cell) => (cell.status === "measured" ? [] : [formatRefused(cell)])),
    ...formatBest(measured),
  ];
  return lines.join("\n");
}

function rowOf({
  strategy,
  shardCount,
  estimateUs,
  cluster,
  overhead,
  p50RatioRange,
}: MeasuredCell) {
  const { p50, p90, p99 } = cluster.latencyMs;
  return [
    strategy,
    String(shardCount),
    formatMs(estimateUs / 1000),
    ...[p50, p90, p99].map(formatMs),
    formatRatio(overhead.p50),
    `${p50RatioRange.low.toFixed(2)}–${p50RatioRange.high.toFixed(2)}`,
    formatRatio(overhead.p90),
    formatRatio(overhead.p99),
    formatMs(cluster.cpuMs),
    formatRatio(overhead.cpu),
    cluster.hitRatio === null ? "-" : formatPercent(cluster.hitRatio),
  ];
}

export function formatRatio(ratio: number): string {
  return `${ratio.toFixed(2)}x`;
}

function formatRefused(cell: Exclude<GridCell, { status: "measured" }>): string {
  return `${cell.strategy} on ${cell.shardCount}: ${cell.status}, ${cell.reason}`;
}

function formatBest(cells: readonly MeasuredCell[]): string[] {
  const best = cells.toSorted((a, b) => a.overhead.p99 - b.overhead.p99)[0];
  if (best === undefined) return [];
  const { p50, p99, cpu } = best.overhead;
  return [
    "",
    `least overhead at p99: ${best.strategy} on ${best.shardCount} shards, p50 ${formatRatio(p50)}, p99 ${formatRatio(p99)}, CPU ${formatRatio(cpu)} of the single process`,
  ];
}
