import { formatBytes, formatCount, formatTable } from "../../cli/table.js";
import { formatGeneratorVerdict } from "./format-generator.js";
import { formatMs, formatPercent, formatRate } from "./format-numbers.js";
import { formatVerdict } from "./format-slo.js";
import { formatTrace } from "./format-trace.js";
import type { LatencySummary } from "./latency-histogram.js";
import type { LatencyResult } from "./latency-result.js";
import { overlapOf, STAGES } from "./stages.js";

const BAR_WIDTH = 20;

/** The report of a run as text for people: what was asked, what was had, and where the time went. */
export function formatLatencyReport(result: LatencyResult): string {
  const sections = [
    formatHead(result),
    formatRates(result),
    formatLatencies(result),
    formatErrors(result),
    formatStages(result),
    [formatRows(result), formatTraffic(result)].filter((line) => line !== "").join("\n"),
    formatAuc(result),
    formatProcesses(result),
    formatShards(result),
    formatTraces(result),
    formatSlo(result),
  ];
  return sections.filter((section) => section !== "").join("\n\n");
}

function formatHead(result: LatencyResult): string {
  const { target, model, planEpochs, clicks, environment } = result;
  const epochs = planEpochs.length === 0 ? "" : `, plan epoch ${planEpochs.join(" and ")}`;
  const samples = clicks.sampleCount / clicks.queryCount;
  const part = clicks.isWhole ? "" : " (the log holds more)";
  return [
    `Latency of ${model.name} version ${model.version} at ${target}${epochs}`,
    `${describeLoop(result)}; ${result.warmupSeconds} s warm-up apart, ${result.seconds} s measured`,
    `${formatCount(clicks.queryCount)} queries from ${clicks.file}${part}, ${samples.toFixed(1)} samples each on average`,
    `${environment.coreCount} cores (${environment.cpu}), ${formatBytes(environment.memoryBytes)}, load average ${environment.loadAverageBefore.toFixed(1)} before`,
    describeSoftware(environment),
    ...(result.endedBy === "interrupt" ? ["PARTIAL: interrupted; this is what was measured"] : []),
    ...(result.endedBy === "target-lost"
      ? ["PARTIAL: the target was lost; this is what came before"]
      : []),
  ].join("\n");
}

function describeSoftware(environment: LatencyResult["environment"]): string {
  const { shardpoolVersion, commit, node, kernel } = environment;
  const from = commit === null ? "" : ` (${commit.replace(/^([0-9a-f]{12})[0-9a-f]*/, "$1")})`;
  return `shardpool ${shardpoolVersion}${from}, Node ${node}, Linux ${kernel}`;
}

/** How queries were sent: what a latency may be called depends on it. */
export function describeLoop(result: LatencyResult): string {
  const { scenario, seed, schedule, window, clientCount } = result;
  if (scenario === "single-stream") {
    return "single-stream: closed loop, one query in flight; not latency under load";
  }
  if (scenario === "offline") {
    return `offline: all at once, ${window} in flight; a throughput, its latencies are those of a full window`;
  }
  const clients = clientCount === 1 ? "" : `, ${clientCount} client processes`;
  const rate = schedule === null ? "" : ` (${schedule})`;
  return `server: open loop, Poisson arrivals${rate}, seed ${seed}${clients}`;
}

function formatRates(result: LatencyResult): string {
  const achieved = `achieved ${formatRate(result.achievedQps)} queries/s, ${formatCount(result.samplesPerSecond)} samples/s`;
  const answered = `answered ${formatCount(result.answeredCount)} of ${formatCount(result.queryCount)} queries`;
  if (result.offeredQps === null) return [achieved, answered].join("\n");
  return [`offered  ${formatRate(result.offeredQps)} queries/s`, achieved, answered].join("\n");
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
  const late = describeLateness(result);
  const warning = late === undefined ? "" : `\nNOTE: ${late}`;
  return `${table}\n${note}${warning}${formatSelfTest(result)}`;
}

/** A generator that is late itself measures itself; `undefined` when it was not. */
export function describeLateness({ generatorLagMs, latencyMs }: LatencyResult): string | undefined {
  if (generatorLagMs === null || latencyMs === null) return undefined;
  if (generatorLagMs.p99 < latencyMs.p99 / 10) return undefined;
  const share = Math.round((generatorLagMs.p99 / latencyMs.p99) * 100);
  return `the generator itself was late, at p99 by ${share} % of the latency: give it a lower rate or more cores`;
}

function formatSelfTest({ generator }: LatencyResult): string {
  if (generator === null) return "";
  const { p50, p99 } = generator.floorMs;
  const floor = `its floor p50 ${formatMs(p50)} ms, p99 ${formatMs(p99)} ms`;
  return `\nself-test: ${formatGeneratorVerdict(generator)}; ${floor}`;
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
  const overlapMs = overlapOf(stagesMs, latencyMs.mean);
  if (overlapMs !== undefined) return formatOverlap(stagesMs, latencyMs.mean, overlapMs);
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

/** Stages that are no split of the latency get no share of it. */
function formatOverlap(
  stagesMs: NonNullable<LatencyResult["stagesMs"]>,
  latencyMeanMs: number,
  overlapMs: number,
): string {
  const table = formatTable(
    [
      { title: "stage, ms", align: "left" },
      { title: "p50" },
      { title: "p99" },
      { title: "mean" },
      { title: "", align: "left" },
    ],
    STAGES.map(({ name, what }) => {
      const { p50, p99, mean } = stagesMs[name];
      return [name, formatMs(p50), formatMs(p99), formatMs(mean), what];
    }),
  );
  return `${table}\nNOTE: ${describeOverlap(latencyMeanMs, overlapMs)}`;
}

/** Why stages show no shares. */
export function describeOverlap(latencyMeanMs: number, overlapMs: number): string {
  return (
    `the server's stages overlap: their means add up to ${formatMs(overlapMs)} ms, the mean latency is ` +
    `${formatMs(latencyMeanMs)} ms, so they are no split of it`
  );
}

function formatRows({ hitRatio, rowsHit, rowsMissed, blocksRead }: LatencyResult): string {
  if (hitRatio === null) return "";
  return (
    `rows     ${formatCount(rowsHit + rowsMissed)} looked up, ${formatPercent(hitRatio)} from memory, ` +
    `${formatCount(rowsMissed)} from SSD in ${formatCount(blocksRead)} blocks`
  );
}

function formatTraffic({ requestBytes, replyBytes, answeredCount }: LatencyResult): string {
  if (answeredCount === 0) return "";
  return `bytes    ${formatBytes(requestBytes)} sent, ${formatBytes(replyBytes)} received; ${formatBytes(Math.round(requestBytes / answeredCount))} a query`;
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

function formatShards({ shards, answeredCount }: LatencyResult): string {
  if (shards.length === 0) return "";
  const rows = shards.map((shard) => {
    const rowCount = shard.rowsHit + shard.rowsMissed;
    return [
      shard.shardId,
      formatCount(shard.partitionCount),
      formatCount(rowCount),
      rowCount === 0 ? "-" : formatPercent(shard.rowsHit / rowCount),
      formatCount(shard.blocksRead),
      answeredCount === 0 ? "-" : ((shard.cpuSeconds * 1000) / answeredCount).toFixed(3),
      formatBytes(shard.memoryBytes),
    ];
  });
  return formatTable(
    [
      { title: "shard", align: "left" },
      { title: "partitions" },
      { title: "rows read" },
      { title: "from memory" },
      { title: "blocks read" },
      { title: "CPU ms a query" },
      { title: "memory" },
    ],
    rows,
  );
}

function formatTraces({ traces }: LatencyResult): string {
  return traces.map(formatTrace).join("\n\n");
}

function formatSlo(result: LatencyResult): string {
  return result.slo.map((verdict) => formatVerdict(verdict, result)).join("\n");
}
