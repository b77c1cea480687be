import { formatBytes, formatCount, formatTable } from "../../cli/table.js";
import type { LatencySummary } from "./latency-histogram.js";
import type { LatencyResult } from "./latency-result.js";
import { STAGES } from "./stages.js";

const BAR_WIDTH = 32;

/** The report of a run as text for people: what was asked, what was had, and where the time went. */
export function formatLatencyReport(result: LatencyResult): string {
  const sections = [
    formatHead(result),
    formatRates(result),
    formatLatencies(result),
    formatErrors(result),
    formatStages(result),
    formatRows(result),
    formatAuc(result),
    formatProcesses(result),
    formatSlo(result),
  ];
  return sections.filter((section) => section !== "").join("\n\n");
}

function formatHead(result: LatencyResult): string {
  const { scenario, target, model, planEpochs, clicks, environment } = result;
  const loop =
    scenario === "server"
      ? `open loop, Poisson arrivals, seed ${result.seed}`
      : "single-stream: closed loop, one query in flight; not latency under load";
  const epochs = planEpochs.length === 0 ? "" : `, plan epoch ${planEpochs.join(" and ")}`;
  const samples = clicks.sampleCount / clicks.queryCount;
  const part = clicks.isWhole ? "" : " (the log holds more)";
  return [
    `Latency of ${model.name} version ${model.version} at ${target}${epochs}`,
    `${loop}; ${result.warmupSeconds} s warm-up apart, ${result.seconds} s measured`,
    `${formatCount(clicks.queryCount)} queries from ${clicks.file}${part}, ${samples.toFixed(1)} samples each on average`,
    `${environment.coreCount} cores (${environment.cpu}), Node ${environment.node}`,
    ...(result.endedBy === "interrupt" ? ["INTERRUPTED: this is the part that was measured"] : []),
    ...(result.endedBy === "target-lost" ? ["TARGET LOST: this is what came before"] : []),
  ].join("\n");
}

function formatRates(result: LatencyResult): string {
  const achieved = `achieved ${result.achievedQps.toFixed(1)} queries/s, ${formatCount(result.samplesPerSecond)} samples/s`;
  const answered = `answered ${formatCount(result.answeredCount)} of ${formatCount(result.queryCount)} queries`;
  if (result.offeredQps === null) return [achieved, answered].join("\n");
  return [`offered  ${result.offeredQps.toFixed(1)} queries/s`, achieved, answered].join("\n");
}

function formatLatencies(result: LatencyResult): string {
  if (result.latencyMs === null || result.serviceMs === null) return "no query was answered";
  const rows = [
    latencyRow("latency", result.latencyMs),
    latencyRow("service time", result.serviceMs),
    ...(result.generatorLagMs === null ? [] : [latencyRow("sent late by", result.generatorLagMs)]),
  ];
  const titles = ["milliseconds", "p50", "p90", "p95", "p99", "p99.9", "max", "mean"];
  const table = formatTable(
    titles.map((title, i) => ({ title, align: i === 0 ? "left" : "right" })),
    rows,
  );
  const note = "latency counts from the intended send time, service time from the real one";
  return `${table}\n${note}${formatLagWarning(result)}`;
}

/** A generator that is late itself measures itself. */
function formatLagWarning({ generatorLagMs, latencyMs }: LatencyResult): string {
  if (generatorLagMs === null || latencyMs === null) return "";
  if (generatorLagMs.p99 < latencyMs.p99 / 10) return "";
  const share = Math.round((generatorLagMs.p99 / latencyMs.p99) * 100);
  return `\nNOTE: the generator itself was late, at p99 by ${share} % of the latency: give it a lower rate or more cores`;
}

function latencyRow(name: string, summary: LatencySummary): string[] {
  const { p50, p90, p95, p99, p999, max, mean } = summary;
  return [name, ...[p50, p90, p95, p99, p999, max, mean].map(formatMs)];
}

function formatErrors({ errorsByCode, degradedRatio, defaultRowCount }: LatencyResult): string {
  const codes = Object.entries(errorsByCode);
  const lines = codes.map(([code, count]) => `  ${code}  ${formatCount(count)}`);
  const errors = codes.length === 0 ? "errors   none" : ["errors by code", ...lines].join("\n");
  const degraded =
    degradedRatio === 0 ? "" : `\ndegraded ${formatPercent(degradedRatio)} of the answers`;
  const defaults =
    defaultRowCount === 0 ? "" : `\ndefault rows served ${formatCount(defaultRowCount)}`;
  return errors + degraded + defaults;
}

function formatStages({ stagesMs, latencyMs }: LatencyResult): string {
  if (stagesMs === null || latencyMs === null) return "the answers carry no stage times";
  const rows = STAGES.map(({ name, what }) => {
    const summary = stagesMs[name];
    const share = latencyMs.mean === 0 ? 0 : summary.mean / latencyMs.mean;
    const bar = "█".repeat(Math.round(share * BAR_WIDTH));
    return [
      name,
      formatMs(summary.p50),
      formatMs(summary.p99),
      formatMs(summary.mean),
      formatPercent(share),
      bar.padEnd(BAR_WIDTH, "·"),
      what,
    ];
  });
  const table = formatTable(
    [
      { title: "stage, ms", align: "left" },
      { title: "p50" },
      { title: "p99" },
      { title: "mean" },
      { title: "share" },
      { title: "of the mean latency", align: "left" },
      { title: "", align: "left" },
    ],
    rows,
  );
  return `${table}\nmeans add up to the mean latency, percentiles do not`;
}

function formatRows({ hitRatio, rowsHit, rowsMissed, blocksRead }: LatencyResult): string {
  if (hitRatio === null) return "";
  return (
    `rows     ${formatCount(rowsHit + rowsMissed)} looked up, ${formatPercent(hitRatio)} from memory, ` +
    `${formatCount(rowsMissed)} from SSD in ${formatCount(blocksRead)} blocks`
  );
}

function formatAuc({ auc }: LatencyResult): string {
  if (auc === null) return "";
  const ceiling = auc.ceiling === null ? "" : `, at best ${auc.ceiling.toFixed(4)} on this log`;
  const shuffled =
    auc.shuffled === null ? "" : `, ${auc.shuffled.toFixed(4)} with row ids shuffled`;
  return `AUC      ${auc.served.toFixed(4)} served${ceiling}${shuffled} (${formatCount(auc.sampleCount)} samples)`;
}

function formatProcesses(result: LatencyResult): string {
  const names = Object.keys(result.cpuSecondsByProcess);
  if (names.length === 0) return "";
  const rows = names.map((name) => [
    name,
    result.cpuSecondsByProcess[name]!.toFixed(2),
    result.answeredCount === 0
      ? "-"
      : ((result.cpuSecondsByProcess[name]! * 1000) / result.answeredCount).toFixed(3),
    formatBytes(result.memoryPeakBytesByProcess[name] ?? 0),
  ]);
  return formatTable(
    [
      { title: "process", align: "left" },
      { title: "CPU seconds" },
      { title: "CPU ms a query" },
      { title: "peak memory" },
    ],
    rows,
  );
}

function formatSlo({ slo, errorsByCode }: LatencyResult): string {
  return slo
    .map(({ rule, value, met }) => {
      const isRatio = /^(errors|degraded)/.test(rule);
      const shown =
        value === null
          ? "nothing measured"
          : isRatio
            ? formatPercent(value)
            : `${formatMs(value)} ms`;
      const failed = Object.keys(errorsByCode).length > 0 && !isRatio ? ", of the answered" : "";
      return `${met ? "✓" : "✗"} ${rule}: ${shown}${failed}`;
    })
    .join("\n");
}

function formatMs(value: number): string {
  return value >= 100 ? value.toFixed(1) : value >= 10 ? value.toFixed(2) : value.toFixed(3);
}

function formatPercent(ratio: number): string {
  return `${(ratio * 100).toFixed(1)} %`;
}
