import { ShardpoolError } from "../../../lib/errors.js";
import { readBenchQueries } from "./bench-queries.js";
import { describeEnvironment, type Environment } from "./environment.js";
import { findPeak, type PeakLimits, type PeakPurpose } from "./find-peak.js";
import type { LatencySummary } from "./latency-histogram.js";
import { type LatencyOptionsInput, parseLatencyOptions } from "./latency-options.js";
import type { LatencyResult } from "./latency-result.js";
import { measureQueries } from "./measure-queries.js";
import type { SloVerdict } from "./slo.js";

/** One run of the search. */
export interface PeakStep {
  readonly purpose: PeakPurpose;
  readonly qps: number;
  readonly seed: number;
  readonly achievedQps: number;
  readonly latencyMs: LatencySummary | null;
  readonly errorsByCode: Readonly<Record<string, number>>;
  readonly slo: readonly SloVerdict[];
  /** Every rule was met, and the target kept up with the rate. */
  readonly met: boolean;
}

/** What `bench peak --json` writes. */
export interface PeakResult {
  readonly formatVersion: 1;
  readonly kind: "peak";
  readonly startedAt: string;
  readonly environment: Environment;
  readonly target: string;
  readonly slo: readonly string[];
  readonly seconds: number;
  /** null when no rate that was tried meets the SLO. */
  readonly peakQps: number | null;
  /** Samples a second at the peak, by the log's mean query. */
  readonly peakSamplesPerSecond: number | null;
  readonly steps: readonly PeakStep[];
  readonly endedBy: "search" | "interrupt" | "target-lost";
}

export interface PeakHooks {
  readonly signal?: AbortSignal | undefined;
  readonly onStep?: (step: PeakStep) => void;
}

/**
 * A target that answers less of a rate falls behind for good: what it answers late was only delayed
 * by the end of the run, which a short run's percentiles may not show.
 */
const ACHIEVED_SHARE_MIN = 0.9;

/**
 * Finds the highest rate at which the target meets the SLO. Each run has its own seed, so that a
 * confirmation is not the same arrivals again.
 *
 * @param input `qps` is left out.
 * @throws ShardpoolError CONFIG_INVALID without a rule, and what `measureQueries` throws.
 */
export async function runPeakBench(
  input: LatencyOptionsInput,
  limits: PeakLimits,
  hooks: PeakHooks = {},
): Promise<PeakResult> {
  const options = parseLatencyOptions({ ...input, qps: limits.qpsStart });
  if (options.slo.length === 0) {
    throw new ShardpoolError("CONFIG_INVALID", "a peak needs --slo, the rule that it must meet");
  }
  const source = await readBenchQueries(options);
  const environment = describeEnvironment();
  const startedAt = new Date().toISOString();
  const steps: PeakStep[] = [];
  let endedBy: PeakResult["endedBy"] = "search";
  const tryRate = async (qps: number, purpose: PeakPurpose): Promise<boolean> => {
    const seed = options.seed + steps.length;
    const result = await measureQueries(source, { ...input, qps, seed }, { signal: hooks.signal });
    if (result.endedBy !== "schedule") {
      endedBy = result.endedBy;
      throw new SearchEnded();
    }
    const step = describeStep(result, qps, purpose, options.errorRatioMax);
    steps.push(step);
    hooks.onStep?.(step);
    return step.met;
  };
  let peakQps: number | null = null;
  try {
    peakQps = await findPeak(tryRate, limits);
  } catch (error) {
    if (!(error instanceof SearchEnded)) throw error;
  }
  const samplesPerQuery =
    source.queries.reduce((sum, query) => sum + query.sampleCount, 0) / source.queries.length;
  return {
    formatVersion: 1,
    kind: "peak",
    startedAt,
    environment,
    target: options.target,
    slo: options.slo.map(({ text }) => text),
    seconds: options.seconds,
    peakQps,
    peakSamplesPerSecond: peakQps === null ? null : peakQps * samplesPerQuery,
    steps,
    endedBy,
  };
}

/** Leaves the search from inside a run. */
class SearchEnded extends Error {}

function describeStep(
  result: LatencyResult,
  qps: number,
  purpose: PeakPurpose,
  errorRatioMax: number,
): PeakStep {
  const { seed, achievedQps, latencyMs, errorsByCode, slo, offeredQps, errorRatio } = result;
  const keepsUp = achievedQps >= ACHIEVED_SHARE_MIN * (offeredQps ?? qps) * (1 - errorRatio);
  const met = keepsUp && slo.every((rule) => rule.met) && errorRatio <= errorRatioMax;
  return { purpose, qps, seed, achievedQps, latencyMs, errorsByCode, slo, met };
}
