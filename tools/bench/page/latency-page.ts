import { formatBytes, formatCount } from "../../cli/table.js";
import { formatGeneratorVerdict } from "../load/format-generator.js";
import { describeLateness, describeLoop } from "../load/format-latency-report.js";
import { formatMs, formatPercent, formatRate } from "../load/format-numbers.js";
import { formatVerdict } from "../load/format-slo.js";
import type { LatencySummary } from "../load/latency-histogram.js";
import type { LatencyResult } from "../load/latency-result.js";
import { STAGES } from "../load/stages.js";
import { escapeHtml, renderChart } from "./chart.js";
import {
  overTimeChart,
  percentileChart,
  processCharts,
  rateChart,
  stageChart,
} from "./latency-charts.js";
import { htmlFacts, htmlPage, htmlTable, htmlTiles } from "./page.js";
import { traceChart } from "./trace-chart.js";

/** The report of a run as one HTML page that needs nothing else. */
export function renderLatencyPage(result: LatencyResult): string {
  const title = `Latency of ${result.model.name} version ${result.model.version}`;
  const sections = [
    `<h1>${escapeHtml(title)}</h1><p class="sub">${escapeHtml(describeLoop(result))}</p>`,
    banner(result),
    tiles(result),
    sloSection(result),
    latencySection(result),
    stageSection(result),
    shardSection(result),
    processSection(result),
    errorSection(result),
    traceSection(result),
    factsSection(result),
    "<footer>Written by shardpool bench latency.</footer>",
  ];
  return htmlPage(title, sections.filter((section) => section !== "").join("\n"));
}

function banner(result: LatencyResult): string {
  const { endedBy, generator } = result;
  const lines: string[] = [];
  if (endedBy === "interrupt")
    lines.push("PARTIAL: the run was interrupted; this is what was measured.");
  if (endedBy === "target-lost")
    lines.push("PARTIAL: the target was lost; this is what came before.");
  if (
    generator !== null &&
    generator.qpsWanted !== null &&
    generator.qpsHeld < generator.qpsWanted
  ) {
    lines.push(formatGeneratorVerdict(generator));
  }
  const late = describeLateness(result);
  if (late !== undefined) lines.push(`NOTE: ${late}.`);
  return lines.map((line) => `<p class="banner">${escapeHtml(line)}</p>`).join("");
}

function tiles(result: LatencyResult): string {
  const { latencyMs, offeredQps, achievedQps, samplesPerSecond, hitRatio, errorRatio, auc } =
    result;
  const ms = (value: number | undefined): string =>
    value === undefined
      ? "–"
      : value >= 1000
        ? `${(value / 1000).toFixed(2)} s`
        : `${formatMs(value)} ms`;
  return htmlTiles([
    [ms(latencyMs?.p50), "p50 latency"],
    [ms(latencyMs?.p99), "p99 latency"],
    [
      `${formatRate(achievedQps)}/s`,
      offeredQps === null
        ? "queries answered"
        : `queries answered, ${formatRate(offeredQps)}/s offered`,
    ],
    [`${formatCount(samplesPerSecond)}/s`, "samples answered"],
    [formatPercent(errorRatio), "queries failed"],
    ...(hitRatio === null ? [] : [[formatPercent(hitRatio), "rows from memory"] as const]),
    ...(auc === null ? [] : [[auc.served.toFixed(4), aucNote(auc)] as const]),
  ]);
}

function aucNote({ ceiling, shuffled }: NonNullable<LatencyResult["auc"]>): string {
  const best = ceiling === null ? "" : `, at best ${ceiling.toFixed(4)}`;
  return `AUC served${best}${shuffled === null ? "" : `, ${shuffled.toFixed(4)} with ids shuffled`}`;
}

function sloSection(result: LatencyResult): string {
  if (result.slo.length === 0) return "";
  const lines = result.slo.map(
    (verdict) =>
      `<div class="${verdict.met ? "ok" : "bad"}">${escapeHtml(formatVerdict(verdict, result))}</div>`,
  );
  return `<h2>SLO</h2><div class="card">${lines.join("")}</div>`;
}

function latencySection(result: LatencyResult): string {
  const { latencyMs, serviceMs, generatorLagMs } = result;
  if (latencyMs === null || serviceMs === null)
    return "<h2>Latency</h2><p>No query was answered.</p>";
  const table = htmlTable(
    ["milliseconds", "p50", "p90", "p95", "p99", "p99.9", "max", "mean"].map((title) => ({
      title,
    })),
    [
      summaryRow("latency", latencyMs),
      summaryRow("service time", serviceMs),
      ...(generatorLagMs === null ? [] : [summaryRow("sent late by", generatorLagMs)]),
    ],
  );
  const charts = [percentileChart(result), overTimeChart(result), rateChart(result)];
  return `<h2>Latency</h2>${table}${charts.map(renderChart).join("")}`;
}

function summaryRow(
  name: string,
  { p50, p90, p95, p99, p999, max, mean }: LatencySummary,
): string[] {
  return [name, ...[p50, p90, p95, p99, p999, max, mean].map(formatMs)];
}

function stageSection(result: LatencyResult): string {
  const chart = stageChart(result);
  if (chart === undefined || result.stagesMs === null) return "";
  const { stagesMs } = result;
  const table = htmlTable(
    [
      { title: "stage, ms" },
      { title: "p50" },
      { title: "p99" },
      { title: "mean" },
      { title: "what it is", isText: true },
    ],
    STAGES.map(({ name, what }) => {
      const { p50, p99, mean } = stagesMs[name];
      return [name, formatMs(p50), formatMs(p99), formatMs(mean), what];
    }),
  );
  return `<h2>Stages</h2>${renderChart(chart)}${table}`;
}

function shardSection({ shards, answeredCount }: LatencyResult): string {
  if (shards.length === 0) return "";
  const table = htmlTable(
    [
      "shard",
      "partitions",
      "rows read",
      "from memory",
      "blocks read",
      "CPU ms a query",
      "memory",
    ].map((title) => ({ title })),
    shards.map((shard) => {
      const rowCount = shard.rowsHit + shard.rowsMissed;
      return [
        shard.shardId,
        formatCount(shard.partitionCount),
        formatCount(rowCount),
        rowCount === 0 ? "–" : formatPercent(shard.rowsHit / rowCount),
        formatCount(shard.blocksRead),
        answeredCount === 0 ? "–" : ((shard.cpuSeconds * 1000) / answeredCount).toFixed(2),
        formatBytes(shard.memoryBytes),
      ];
    }),
  );
  return `<h2>Shards</h2>${table}`;
}

function processSection(result: LatencyResult): string {
  const charts = processCharts(result);
  return charts.length === 0 ? "" : `<h2>Processes</h2>${charts.map(renderChart).join("")}`;
}

function errorSection({
  errorsByCode,
  queryCount,
  degradedRatio,
  defaultRowCount,
}: LatencyResult): string {
  const rows = Object.entries(errorsByCode).map(([code, count]) => [
    code,
    formatCount(count),
    formatPercent(count / Math.max(1, queryCount)),
  ]);
  const table =
    rows.length === 0
      ? `<div class="card ok">None of ${formatCount(queryCount)} queries failed.</div>`
      : htmlTable([{ title: "code" }, { title: "queries" }, { title: "share" }], rows);
  const more = [
    degradedRatio === 0 ? "" : `${formatPercent(degradedRatio)} of the answers were degraded.`,
    defaultRowCount === 0 ? "" : `${formatCount(defaultRowCount)} default rows were served.`,
  ].filter((text) => text !== "");
  return `<h2>Errors by code</h2>${table}${more.map((text) => `<p>${text}</p>`).join("")}`;
}

function traceSection({ traces }: LatencyResult): string {
  if (traces.length === 0) return "";
  const note =
    "Durations are measured by the process they belong to; no two processes' clocks are compared, so a network's time stands half before and half after its shard.";
  return `<h2>Single queries</h2><p class="sub">${note}</p>${traces.map((trace) => renderChart(traceChart(trace))).join("")}`;
}

function factsSection(result: LatencyResult): string {
  const { environment, model, clicks, planEpochs, generator } = result;
  const floor = generator?.floorMs;
  return `<h2>What was measured, and on what</h2>${htmlFacts([
    ["target", result.target],
    ["model", `${model.name} version ${model.version} (${model.hash.slice(0, 12)})`],
    ["plan epoch", planEpochs.length === 0 ? "not told" : planEpochs.join(", ")],
    [
      "queries",
      `${formatCount(clicks.queryCount)} of ${clicks.file}${clicks.isWhole ? "" : " (the log holds more)"}, ${(clicks.sampleCount / clicks.queryCount).toFixed(1)} samples each on average`,
    ],
    [
      "time",
      `${result.warmupSeconds} s warm-up, ${result.measuredSeconds.toFixed(1)} s measured, started ${result.startedAt}`,
    ],
    [
      "answered",
      `${formatCount(result.answeredCount)} of ${formatCount(result.queryCount)} queries`,
    ],
    [
      "bytes",
      `${formatBytes(result.requestBytes)} sent, ${formatBytes(result.replyBytes)} received`,
    ],
    [
      "generator",
      floor === undefined || generator === null
        ? "not tested by itself (--self-test does)"
        : `floor p50 ${formatMs(floor.p50)} ms, p99 ${formatMs(floor.p99)} ms; ${formatGeneratorVerdict(generator)}`,
    ],
    [
      "machine",
      `${environment.coreCount} cores, ${environment.cpu}, ${formatBytes(environment.memoryBytes)}, load average ${environment.loadAverageBefore.toFixed(1)} before`,
    ],
    [
      "software",
      `shardpool ${environment.shardpoolVersion}${environment.commit === null ? "" : ` (${environment.commit})`}, Node ${environment.node}, Linux ${environment.kernel}`,
    ],
  ])}`;
}
