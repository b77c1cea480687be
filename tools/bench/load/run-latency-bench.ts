import { ShardpoolError } from "../../../lib/errors.js";
import { type BenchQueries, readBenchQueries } from "./bench-queries.js";
import { describeEnvironment, type Environment } from "./environment.js";
import { InferenceClient } from "./inference-client.js";
import {
  type LatencyOptions,
  type LatencyOptionsInput,
  parseLatencyOptions,
} from "./latency-options.js";
import type { LatencyResult } from "./latency-result.js";
import type { LoadSecond } from "./load-recorder.js";
import { type MeasuredLoad, type MeasureLoadHooks, measureLoad } from "./measure-load.js";
import { prepareQueries } from "./prepared-queries.js";
import { UsageMeter } from "./process-usage.js";
import { servedAuc } from "./served-auc.js";
import { measureShuffledAuc } from "./shuffled-auc.js";
import { judgeSlo } from "./slo.js";

/** The load generator's own name among the processes of a result. */
const CLIENT_PROCESS = "client";

/**
 * Sends a click log's queries to a running inference server and measures.
 *
 * A target that dies in the middle, failed queries and a missed SLO do not throw: the result says
 * so, and `assertGoodResult` turns it into an error.
 *
 * @throws ShardpoolError CONFIG_INVALID for options; what reading the log throws; TARGET_UNAVAILABLE
 * or MODEL_NOT_FOUND when the target does not answer for this model at the start.
 */
export async function runLatencyBench(
  input: LatencyOptionsInput,
  hooks: MeasureLoadHooks = {},
): Promise<LatencyResult> {
  const options = parseLatencyOptions(input);
  const environment = describeEnvironment();
  const source = await readBenchQueries(options);
  return measureQueries(source, options, environment, hooks);
}

/** The same for queries that are in memory. */
export async function measureQueries(
  source: BenchQueries,
  options: LatencyOptions,
  environment: Environment,
  hooks: MeasureLoadHooks = {},
): Promise<LatencyResult> {
  const { name, version } = source.manifest;
  const request = { modelName: name, modelVersion: version, timings: true };
  const queries = prepareQueries(source.queries, request);
  const client = new InferenceClient(options.target, options);
  const meter = new UsageMeter({ ...options.pids, [CLIENT_PROCESS]: process.pid });
  try {
    await client.assertReady(name, version, options.connectMs);
    const load = await measureLoad(client, queries, options, meter, hooks);
    const isWhole = load.endedBy === "schedule" && options.shuffleIds;
    const shuffled = isWhole ? await measureShuffledAuc(client, source, options) : null;
    return describeResult({ source, options, environment, load, meter, shuffled, queries });
  } finally {
    client.close();
  }
}

/**
 * Throws when a run did not do what was asked of it.
 *
 * @throws ShardpoolError TARGET_UNAVAILABLE when the target was lost, LIMIT_EXCEEDED when more
 * queries failed than allowed, SLO_MISSED when a rule was missed.
 */
export function assertGoodResult(result: LatencyResult, errorRatioMax: number): void {
  if (result.endedBy === "target-lost") {
    throw new ShardpoolError(
      "TARGET_UNAVAILABLE",
      `${result.target} stopped answering; the report shows what was measured before`,
    );
  }
  if (result.errorRatio > errorRatioMax) {
    const failed = result.queryCount - result.answeredCount;
    throw new ShardpoolError(
      "LIMIT_EXCEEDED",
      `${failed} of ${result.queryCount} queries failed (${(result.errorRatio * 100).toFixed(2)} %), the limit is ${errorRatioMax * 100} %`,
    );
  }
  const missed = result.slo.filter((verdict) => !verdict.met);
  if (missed.length > 0) {
    throw new ShardpoolError("SLO_MISSED", missed.map((verdict) => verdict.rule).join(", "));
  }
}

interface Measured {
  readonly source: BenchQueries;
  readonly options: LatencyOptions;
  readonly environment: Environment;
  readonly load: MeasuredLoad;
  readonly meter: UsageMeter;
  readonly shuffled: number | null;
  readonly queries: { readonly labels: Uint8Array; readonly requests: readonly Buffer[] };
}

function describeResult(measured: Measured): LatencyResult {
  const { source, options, environment, load, meter, queries } = measured;
  const { recorder } = load;
  const { name, version } = source.manifest;
  const perSecond = (count: number): number =>
    load.measuredSeconds > 0 ? count / load.measuredSeconds : 0;
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
    seed: options.seed,
    warmupSeconds: options.warmupSeconds,
    seconds: options.seconds,
    measuredSeconds: load.measuredSeconds,
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
    slo: judgeSlo(options.slo ?? [], { latencyMs, ...ratios }),
    overTime: recorder.seconds.map(describeSecond),
    latencyHistogram: recorder.latency.encode(),
  };
}

function offeredQpsOf({ scenario }: LatencyOptions, load: MeasuredLoad): number | null {
  if (scenario === "single-stream") return null;
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

function describeSecond({ dueCount, failedCount, latenciesMs }: LoadSecond) {
  const sorted = Float64Array.from(latenciesMs).sort();
  const at = (ratio: number): number => sorted[Math.ceil(ratio * sorted.length) - 1] ?? 0;
  return {
    dueCount,
    failedCount,
    latencyMs: sorted.length === 0 ? null : { p50: at(0.5), p99: at(0.99), max: at(1) },
  };
}

function ratioOf(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
