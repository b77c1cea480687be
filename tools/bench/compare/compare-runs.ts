import type { LatencyResult } from "../load/latency-result.js";
import {
  type Interval,
  mannWhitneyP,
  median,
  pairedRatioInterval,
  ratioInterval,
  SIGNIFICANCE_LEVEL,
  signFlipP,
} from "./statistics.js";

export type Verdict = "better" | "worse" | "cannot tell";

/** How one number of the runs of B stands to that of A. */
export interface MetricComparison {
  readonly metric: string;
  readonly unit: string;
  readonly lowerIsBetter: boolean;
  /** Medians over runs. */
  readonly a: number;
  readonly b: number;
  /** Smallest and largest run. */
  readonly aRange: Interval;
  readonly bRange: Interval;
  /** b over a: of medians, or, in turns, the median of the pairs' ratios. */
  readonly ratio: number;
  /** 95 % by bootstrap; null with one run a side. */
  readonly interval: Interval | null;
  readonly pValue: number;
  readonly verdict: Verdict;
  /** Why nothing can be told. */
  readonly reason: string;
}

export interface Comparison {
  readonly formatVersion: 1;
  readonly kind: "comparison";
  /** Runs were taken in turns, so that the n-th of A and of B are a pair. */
  readonly isPaired: boolean;
  readonly aCount: number;
  readonly bCount: number;
  /** What differs between the runs beside what was to be compared. */
  readonly warnings: readonly string[];
  readonly metrics: readonly MetricComparison[];
}

/** With fewer runs not even the most one-sided outcome is rarer than the level. */
const RUNS_MIN = 5;
const PAIRS_MIN = 8;

/** Arrivals of one schedule differ by the moment of the last query; more than this is another rate. */
const OFFERED_RATIO_MAX = 1.1;

interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly lowerIsBetter: boolean;
  readonly of: (run: LatencyResult) => number | null;
}

const METRICS: readonly Metric[] = [
  { name: "p50 latency", unit: "ms", lowerIsBetter: true, of: (run) => run.latencyMs?.p50 ?? null },
  { name: "p90 latency", unit: "ms", lowerIsBetter: true, of: (run) => run.latencyMs?.p90 ?? null },
  { name: "p99 latency", unit: "ms", lowerIsBetter: true, of: (run) => run.latencyMs?.p99 ?? null },
  {
    name: "mean latency",
    unit: "ms",
    lowerIsBetter: true,
    of: (run) => run.latencyMs?.mean ?? null,
  },
  { name: "achieved rate", unit: "queries/s", lowerIsBetter: false, of: (run) => run.achievedQps },
  { name: "CPU time a query", unit: "ms", lowerIsBetter: true, of: serverCpuMs },
];

/** CPU time a query of all processes but the client's; null when none was watched. */
export function serverCpuMs(run: LatencyResult): number | null {
  const servers = Object.entries(run.cpuSecondsByProcess).filter(
    ([name]) => !/^client(-\d+)?$/.test(name),
  );
  if (servers.length === 0 || run.answeredCount === 0) return null;
  return (servers.reduce((sum, [, seconds]) => sum + seconds, 0) * 1000) / run.answeredCount;
}

/**
 * Compares runs of two configurations: what B is against A.
 *
 * @param isPaired The n-th runs were taken in one turn; then there are as many of each.
 */
export function compareRuns(
  a: readonly LatencyResult[],
  b: readonly LatencyResult[],
  isPaired: boolean,
): Comparison {
  const metrics = METRICS.flatMap((metric) => {
    const compared = compareMetric(metric, a.map(metric.of), b.map(metric.of), isPaired);
    return compared === undefined ? [] : [compared];
  });
  return {
    formatVersion: 1,
    kind: "comparison",
    isPaired,
    aCount: a.length,
    bCount: b.length,
    warnings: differences(a, b),
    metrics,
  };
}

function compareMetric(
  { name, unit, lowerIsBetter }: Metric,
  a: readonly (number | null)[],
  b: readonly (number | null)[],
  isPaired: boolean,
): MetricComparison | undefined {
  if (!isPositive(a) || !isPositive(b)) return undefined;
  const judged = isPaired ? judgePairs(a, b) : judgeSamples(a, b);
  const isSlower = judged.ratio > 1 === lowerIsBetter;
  const verdict = judged.reason !== "" ? "cannot tell" : isSlower ? "worse" : "better";
  return {
    metric: name,
    unit,
    lowerIsBetter,
    a: median(a),
    b: median(b),
    aRange: { low: Math.min(...a), high: Math.max(...a) },
    bRange: { low: Math.min(...b), high: Math.max(...b) },
    ...judged,
    verdict,
  };
}

type Judged = Pick<MetricComparison, "ratio" | "interval" | "pValue" | "reason">;

/** Mann–Whitney U over runs, and a bootstrap interval of the ratio of medians: both must agree. */
export function judgeSamples(a: readonly number[], b: readonly number[]): Judged {
  const ratio = median(b) / median(a);
  const interval = Math.min(a.length, b.length) > 1 ? ratioInterval(a, b) : null;
  const pValue = mannWhitneyP(a, b);
  const isFew = Math.min(a.length, b.length) < RUNS_MIN;
  return { ratio, interval, pValue, reason: reasonOf(isFew ? RUNS_MIN : 0, pValue, interval) };
}

/** Sign-flip test of the pairs' log ratios, and a bootstrap interval of their median. */
export function judgePairs(a: readonly number[], b: readonly number[]): Judged {
  const ratios = a.map((value, i) => b[i]! / value);
  const interval = ratios.length > 1 ? pairedRatioInterval(ratios) : null;
  const pValue = signFlipP(ratios.map(Math.log));
  const isFew = ratios.length < PAIRS_MIN;
  return {
    ratio: median(ratios),
    interval,
    pValue,
    reason: reasonOf(isFew ? PAIRS_MIN : 0, pValue, interval),
  };
}

function reasonOf(runsNeeded: number, pValue: number, interval: Interval | null): string {
  if (runsNeeded > 0) return `fewer than ${runsNeeded} runs a side`;
  if (pValue >= SIGNIFICANCE_LEVEL) return "within what chance brings";
  if (interval === null || (interval.low <= 1 && interval.high >= 1)) return "the interval holds 1";
  return "";
}

function isPositive(values: readonly (number | null)[]): values is readonly number[] {
  return values.length > 0 && values.every((value) => value !== null && value > 0);
}

const CONTEXT: readonly {
  readonly what: string;
  readonly of: (run: LatencyResult) => string;
}[] = [
  { what: "machines", of: ({ environment: { cpu, coreCount } }) => `${coreCount} x ${cpu}` },
  { what: "models", of: ({ model }) => `${model.name} ${model.hash.slice(0, 12)}` },
  { what: "scenarios", of: ({ scenario, schedule }) => schedule ?? scenario },
  { what: "client processes", of: ({ clientCount }) => String(clientCount) },
  { what: "query sizes", of: ({ clicks }) => `${clicks.queryCount} / ${clicks.sampleCount}` },
  { what: "Node versions", of: ({ environment: { node } }) => node },
];

function differences(a: readonly LatencyResult[], b: readonly LatencyResult[]): string[] {
  const warnings = CONTEXT.flatMap(({ what, of }) => {
    const values = [...new Set([...a, ...b].map(of))];
    return values.length === 1 ? [] : [`${what} differ: ${values.join(", ")}`];
  });
  const offered = [...a, ...b].flatMap(({ offeredQps }) => offeredQps ?? []);
  const [least, most] = [Math.min(...offered), Math.max(...offered)];
  if (most > least * OFFERED_RATIO_MAX) {
    warnings.push(`offered rates differ: ${least.toFixed(1)} to ${most.toFixed(1)} queries/s`);
  }
  const failed = [...a, ...b].filter(({ errorRatio }) => errorRatio > 0).length;
  if (failed > 0) warnings.push(`${failed} runs have failed queries, whose latencies do not count`);
  const partial = [...a, ...b].filter(({ endedBy }) => endedBy !== "schedule").length;
  if (partial > 0) warnings.push(`${partial} runs are partial`);
  return warnings;
}
