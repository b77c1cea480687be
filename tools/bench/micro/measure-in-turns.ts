import type { Comparison, Contender, MicroResult, TurnValue } from "./micro-bench.js";

/** Pairs of turns. The median of ten outlives a neighbour's burst or two. */
export const TURN_PAIRS = 10;

/**
 * Lets subject and baseline take turns (ABAB…), so that both meet the same weather on a shared
 * machine, and compares their medians.
 *
 * @param seconds Time for all turns together.
 */
export async function measureInTurns(
  name: string,
  comparison: Comparison,
  seconds: number,
  pairs = TURN_PAIRS,
): Promise<MicroResult> {
  const { subject, baseline, unit, better, correct, details } = comparison;
  const turnSeconds = seconds / (2 * pairs);
  // A short turn each before the clock counts: code is compiled, caches and pages are warm.
  await subject.turn(turnSeconds / 2);
  if (!isForeign(baseline)) await baseline.turn(turnSeconds / 2);
  const values: TurnValue[] = [];
  const baselineValues: TurnValue[] = [];
  for (let i = 0; i < pairs; i++) {
    values.push(await subject.turn(turnSeconds));
    baselineValues.push(await baseline.turn(turnSeconds));
  }
  const ours = summarise(values.map(({ value }) => value));
  const theirs = summarise(baselineValues.map(({ value }) => value));
  const cpuRatio = ratioOf(cpuMedian(values), cpuMedian(baselineValues));
  return {
    name,
    ...(comparison.case !== undefined && { case: comparison.case }),
    ...{ unit, better, value: ours.median },
    baseline: { name: baseline.name, value: theirs.median },
    ratio: ours.median / theirs.median,
    ...(cpuRatio !== undefined && { cpuRatio }),
    spread: { value: ours.quartiles, baseline: theirs.quartiles },
    turns: pairs,
    correct,
    ...details?.(ours.median, theirs.median),
  };
}

/** A contender that another program measures, which warms up by itself. */
export interface ForeignContender extends Contender {
  readonly isForeign: true;
}

function isForeign(contender: Contender): contender is ForeignContender {
  return "isForeign" in contender;
}

function cpuMedian(turns: readonly TurnValue[]): number | undefined {
  const values = turns.flatMap(({ cpuValue }) => (cpuValue === undefined ? [] : [cpuValue]));
  return values.length === turns.length ? summarise(values).median : undefined;
}

function ratioOf(value: number | undefined, baseline: number | undefined): number | undefined {
  return value === undefined || baseline === undefined ? undefined : value / baseline;
}

/** Median, and first and third quartile as shares of it. */
export function summarise(values: readonly number[]): {
  readonly median: number;
  readonly quartiles: readonly [number, number];
} {
  const rising = values.toSorted((a, b) => a - b);
  const median = quantile(rising, 0.5);
  return { median, quartiles: [quantile(rising, 0.25) / median, quantile(rising, 0.75) / median] };
}

/** Between the two nearest values, in proportion. */
function quantile(rising: readonly number[], share: number): number {
  const place = share * (rising.length - 1);
  const low = rising[Math.floor(place)]!;
  const high = rising[Math.ceil(place)]!;
  return low + (high - low) * (place - Math.floor(place));
}
