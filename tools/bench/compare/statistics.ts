import { Random } from "../../../lib/random.js";

/**
 * A difference counts when chance alone would make one as large less often than this. Stricter than
 * the usual 0.05 because a table holds six numbers, each with its own chance to cry wolf.
 */
export const SIGNIFICANCE_LEVEL = 0.01;
const RESAMPLE_COUNT = 4000;
/** Up to this many pairs every sign pattern is counted; beyond, as many are drawn by chance. */
const EXACT_PAIRS_MAX = 16;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * Two-sided p of the Mann–Whitney U test: how often chance alone would order two samples of one
 * distribution at least as one-sidedly. Exact (all orders counted) without ties; with ties the normal
 * approximation, corrected for them and for continuity.
 */
export function mannWhitneyP(a: readonly number[], b: readonly number[]): number {
  const all = [...a, ...b].toSorted((x, y) => x - y);
  const hasTies = all.some((value, i) => i > 0 && value === all[i - 1]);
  let u = 0;
  for (const x of a) for (const y of b) u += x > y ? 1 : x === y ? 0.5 : 0;
  const far = Math.min(u, a.length * b.length - u);
  return hasTies ? normalP(far, a.length, b.length, all) : exactP(far, a.length, b.length);
}

/** Share of all orders of `m` and `n` values whose U is at most `u`, doubled for both sides. */
function exactP(u: number, m: number, n: number): number {
  // counts[i][k]: orders of i values of one sample among j of the other with U = k, j growing.
  let counts = Array.from({ length: m + 1 }, () => countsOf(m * n));
  for (let j = 1; j <= n; j++) {
    const next = [countsOf(m * n)];
    for (let i = 1; i <= m; i++) {
      const row = new Float64Array(m * n + 1);
      for (let k = 0; k < row.length; k++) {
        row[k] = counts[i]![k]! + (k >= j ? next[i - 1]![k - j]! : 0);
      }
      next.push(row);
    }
    counts = next;
  }
  const orders = counts[m]!;
  const total = orders.reduce((sum, count) => sum + count, 0);
  let extreme = 0;
  for (let k = 0; k <= u; k++) extreme += orders[k]!;
  return Math.min(1, (2 * extreme) / total);
}

function countsOf(uMax: number): Float64Array {
  const counts = new Float64Array(uMax + 1);
  counts[0] = 1;
  return counts;
}

function normalP(u: number, m: number, n: number, sorted: readonly number[]): number {
  const count = m + n;
  let ties = 0;
  for (let start = 0; start < count; ) {
    let end = start + 1;
    while (end < count && sorted[end] === sorted[start]) end++;
    ties += (end - start) ** 3 - (end - start);
    start = end;
  }
  const variance = ((m * n) / 12) * (count + 1 - ties / (count * (count - 1)));
  if (variance === 0) return 1;
  const z = (Math.abs(u - (m * n) / 2) - 0.5) / Math.sqrt(variance);
  return Math.min(1, 2 * upperNormal(Math.max(0, z)));
}

/** Upper tail of the standard normal distribution (Abramowitz and Stegun 26.2.17, error < 7.5e-8). */
function upperNormal(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const series = [1.330274429, -1.821255978, 1.781477937, -0.356563782, 0.31938153];
  const polynomial = series.reduce((sum, coefficient) => sum * t + coefficient, 0) * t;
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * polynomial;
}

/**
 * Two-sided p of the sign-flip permutation test of paired differences: how often flipping signs by
 * chance gives a mean at least as far from 0. For runs in turns, where what drifts hits both of a pair.
 */
export function signFlipP(differences: readonly number[], seed = 1): number {
  const observed = Math.abs(differences.reduce((sum, difference) => sum + difference, 0));
  // Sums in another order may differ in the last bits.
  const threshold = observed * (1 - 1e-12);
  const isExact = differences.length <= EXACT_PAIRS_MAX;
  const patternCount = isExact ? 2 ** differences.length : 2 ** EXACT_PAIRS_MAX;
  const random = new Random(seed, "sign flips");
  let extreme = 0;
  for (let pattern = 0; pattern < patternCount; pattern++) {
    let sum = 0;
    for (let i = 0; i < differences.length; i++) {
      const flips = isExact ? (pattern >> i) & 1 : random.nextUint32() & 1;
      sum += flips ? -differences[i]! : differences[i]!;
    }
    if (Math.abs(sum) >= threshold) extreme++;
  }
  return extreme / patternCount;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** 95 % percentile bootstrap interval of median(b) / median(a). Deterministic for a seed. */
export function ratioInterval(a: readonly number[], b: readonly number[], seed = 1): Interval {
  const random = new Random(seed, "bootstrap");
  const draw = (values: readonly number[]): number[] =>
    values.map(() => values[random.nextBelow(values.length)]!);
  return intervalOf(() => median(draw(b)) / median(draw(a)));
}

/** 95 % percentile bootstrap interval of the median of ratios of pairs. */
export function pairedRatioInterval(ratios: readonly number[], seed = 1): Interval {
  const random = new Random(seed, "bootstrap");
  return intervalOf(() => median(ratios.map(() => ratios[random.nextBelow(ratios.length)]!)));
}

function intervalOf(resample: () => number): Interval {
  const values = Float64Array.from({ length: RESAMPLE_COUNT }, resample).sort();
  return {
    low: values[Math.floor(0.025 * RESAMPLE_COUNT)]!,
    high: values[Math.ceil(0.975 * RESAMPLE_COUNT) - 1]!,
  };
}
