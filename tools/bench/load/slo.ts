import { ShardpoolError } from "../../../lib/errors.js";

/** What a rule can bound: a latency in milliseconds, or a share of all queries. */
const LATENCY_METRICS = ["p50", "p90", "p95", "p99", "p999", "max", "mean"] as const;
const RATIO_METRICS = ["errors", "degraded"] as const;
type LatencyMetric = (typeof LATENCY_METRICS)[number];
type RatioMetric = (typeof RATIO_METRICS)[number];

/** One bound a run must meet, for instance `p99<60ms` or `errors<0.1%`. */
export interface SloRule {
  readonly text: string;
  readonly metric: LatencyMetric | RatioMetric;
  /** Milliseconds, or a ratio in [0, 1]. */
  readonly limit: number;
  readonly allowsEqual: boolean;
}

export interface SloVerdict {
  readonly rule: string;
  /** Milliseconds or a ratio; null when nothing was measured, which misses the rule. */
  readonly value: number | null;
  readonly met: boolean;
}

export interface SloMeasurements {
  readonly latencyMs: Readonly<Record<LatencyMetric, number>> | null;
  readonly errorRatio: number;
  readonly degradedRatio: number;
}

const RULE = /^\s*([a-z]+[0-9.]*)\s*(<=?)\s*([0-9]+(?:\.[0-9]+)?)\s*(us|ms|s|%)\s*$/;
const MS_BY_UNIT: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000 };

/**
 * Reads rules such as `p99<60ms`, `p99.9<=0.1s`, `errors<0.1%`, several with commas between.
 *
 * @throws ShardpoolError CONFIG_INVALID, naming the rule and what one looks like.
 */
export function parseSlo(text: string): SloRule[] {
  return text.split(",").map(parseRule);
}

function parseRule(text: string): SloRule {
  const [, name = "", operator = "", number = "", unit = ""] = RULE.exec(text) ?? [];
  const metric = metricOf(name);
  const isRatio = RATIO_METRICS.some((known) => known === metric);
  if (metric === undefined || (unit === "%") !== isRatio) {
    throw new ShardpoolError(
      "CONFIG_INVALID",
      `SLO "${text.trim()}" cannot be read: a rule is p50, p90, p95, p99, p99.9, max or mean ` +
        "under a time (p99<60ms), or errors or degraded under a share (errors<0.1%)",
    );
  }
  const limit = isRatio ? Number(number) / 100 : Number(number) * MS_BY_UNIT[unit]!;
  return { text: text.trim(), metric, limit, allowsEqual: operator === "<=" };
}

function metricOf(name: string): SloRule["metric"] | undefined {
  const plain = name === "p99.9" ? "p999" : name;
  return [...LATENCY_METRICS, ...RATIO_METRICS].find((metric) => metric === plain);
}

/** Judges each rule; the run meets the SLO when every verdict does. */
export function judgeSlo(rules: readonly SloRule[], measured: SloMeasurements): SloVerdict[] {
  return rules.map(({ text, metric, limit, allowsEqual }) => {
    const value = measuredValue(metric, measured);
    const met = value !== null && (allowsEqual ? value <= limit : value < limit);
    return { rule: text, value, met };
  });
}

function measuredValue(metric: SloRule["metric"], measured: SloMeasurements): number | null {
  if (metric === "errors") return measured.errorRatio;
  if (metric === "degraded") return measured.degradedRatio;
  return measured.latencyMs?.[metric] ?? null;
}
