import type { BenchQueries } from "./bench-queries.js";
import type { Environment } from "./environment.js";
import type { LatencyOptions } from "./latency-options.js";
import type { GeneratorTest, LatencyResult } from "./latency-result.js";
import type { LoadSecond } from "./load-recorder.js";
import type { MeasuredLoad } from "./measure-load.js";
import type { UsageMeter } from "./process-usage.js";
import { servedAuc } from "./served-auc.js";
import type { ShardUsage } from "./shard-usage.js";
import { judgeSlo } from "./slo.js";

export interface Measured {
  readonly source: BenchQueries;
  readonly options: LatencyOptions;
  readonly environment: Environment;
  readonly load: MeasuredLoad;
  readonly meter: UsageMeter;
  readonly shards: readonly ShardUsage[];
  readonly generator: GeneratorTest | null;
  readonly shuffled: number | null;
  readonly queries: { readonly labels: Uint8Array; readonly requests: readonly Buffer[] };
}

/** Everything a run measured, as its result file tells it. */
export function describeResult(measured: Measured): LatencyResult {
  const { source, options, environment, load, meter, queries } = measured;
  const { recorder } = load;
  const measuredSeconds = measuredSecondsOf(load);
  const { name, version } = source.manifest;
  const perSecond = (count: number): number => (measuredSeconds > 0 ? count / measuredSeconds : 0);
  const rowCount = recorder.hitCount + recorder.missCount;
  const latencyMs = recorder.latency.summary();
  const ratios = {
    errorRatio: ratioOf(recorder.failedCount, recorder.dueCount),
    degradedRatio: ratioOf(recorder.degradedCount, recorder.answeredCount),
  };
  return {
    formatVersion: 1,
    kind: "latency",
    startedAt: load.startedAt.toISOString(),
    environment,
    target: options.target,
    model: { name, version, hash: source.modelHash },
    planEpochs: [...recorder.planEpochs].toSorted((a, b) => a - b),
    clicks: {
      file: source.clicksFile,
      queryCount: queries.requests.length,
      sampleCount: queries.labels.length,
      isWhole: source.isWhole,
    },
    scenario: options.scenario,
    schedule: options.schedule ?? null,
    window: options.scenario === "offline" ? options.window : null,
    clientCount: options.clients,
    generator: measured.generator,
    seed: options.seed,
    warmupSeconds: options.warmupSeconds,
    seconds: options.seconds,
    measuredSeconds,
    endedBy: load.endedBy,
    queryCount: recorder.dueCount,
    answeredCount: recorder.answeredCount,
    offeredQps: offeredQpsOf(options, load),
    achievedQps: perSecond(recorder.answeredCount),
    samplesPerSecond: perSecond(recorder.sampleCount),
    errorsByCode: Object.fromEntries(recorder.countByErrorCode),
    ...ratios,
    defaultRowCount: recorder.defaultRowCount,
    latencyMs,
    serviceMs: recorder.service.summary(),
    generatorLagMs: recorder.lag.summary(),
    stagesMs: recorder.stages.summary(),
    rowsHit: recorder.hitCount,
    rowsMissed: recorder.missCount,
    hitRatio: rowCount === 0 ? null : recorder.hitCount / rowCount,
    blocksRead: recorder.blockCount,
    requestBytes: recorder.requestBytes,
    replyBytes: recorder.replyBytes,
    auc: aucOf(measured),
    ...meter.result(),
    slo: judgeSlo(options.slo, { latencyMs, ...ratios }),
    shards: measured.shards,
    traces: recorder.traces,
    overTime: recorder.seconds.map(describeSecond),
    latencyHistogram: recorder.latency.encode(),
    serviceHistogram: recorder.service.encode(),
  };
}

/** The time in which queries were due, drawn out to the last answer. */
function measuredSecondsOf({ recorder, measureFromMs, offeredSeconds }: MeasuredLoad): number {
  return Math.max(offeredSeconds, (recorder.lastAnswerAtMs - measureFromMs) / 1000);
}

function offeredQpsOf({ scenario }: LatencyOptions, load: MeasuredLoad): number | null {
  if (scenario !== "server") return null;
  return load.offeredSeconds > 0 ? load.recorder.dueCount / load.offeredSeconds : 0;
}

function aucOf({ source, load, shuffled, queries }: Measured): LatencyResult["auc"] {
  const served = servedAuc(load.recorder.probabilities, queries.labels);
  if (served === undefined) return null;
  return {
    served: served.auc,
    ceiling: source.aucCeiling,
    shuffled,
    sampleCount: served.sampleCount,
  };
}

function describeSecond({ dueCount, failedCount, answeredCount, latenciesMs }: LoadSecond) {
  const sorted = Float64Array.from(latenciesMs).sort();
  const at = (ratio: number): number => sorted[Math.ceil(ratio * sorted.length) - 1] ?? 0;
  return {
    dueCount,
    failedCount,
    answeredCount,
    latencyMs: sorted.length === 0 ? null : { p50: at(0.5), p99: at(0.99), max: at(1) },
  };
}

function ratioOf(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
