import { ShardpoolError } from "../../lib/errors.js";
import type { ReuseHistogram } from "../../lib/stats/reuse-histogram.js";
import { chooseReuseCounts, type ReuseCounts } from "./reuse-counts.js";
import type { TableReads } from "./reuse-fit.js";
import { type ReuseProfile, reuseTargetOf } from "./reuse-targets.js";

/** A share of the achieved histogram may be this far from the target's: two points. */
const SHARE_DEVIATION_MAX = 0.02;
/** Reads of a touched row may be this far from the target's, as a share of it. */
const MEAN_REUSE_DEVIATION_MAX = 0.02;
/** How near the ends of the range of samples are looked for, as a ratio. */
const SEARCH_RATIO = 1.02;
const SAMPLES_MAX = 2 ** 31;

/**
 * Chooses the counts of a log's rows, or says which numbers of samples would do: with too many the
 * tables have too few rows to touch, with too few the shares cannot be made of whole rows.
 *
 * @param readsAt What is read of each table in a log of so many samples.
 * @throws ShardpoolError CLICKS_INVALID, with the least and the largest number of samples.
 */
export function chooseFeasibleCounts(
  profile: ReuseProfile,
  sampleCount: number,
  readsAt: (sampleCount: number) => readonly TableReads[],
): ReuseCounts {
  const target = reuseTargetOf(profile);
  const chosen = chooseReuseCounts(readsAt(sampleCount), target);
  if (isNear(chosen, target)) return chosen;
  const isFeasible = (samples: number): boolean =>
    isNear(chooseReuseCounts(readsAt(samples), target), target);
  throw new ShardpoolError(
    "CLICKS_INVALID",
    `${sampleCount} samples cannot have the reuse of ${profile}: rows touched would be read ` +
      `${chosen.achieved.meanReuse.toFixed(1)} times (${target.meanReuse.toFixed(1)} wanted) with shares ` +
      `${(chosen.deviation * 100).toFixed(1)} points off (${SHARE_DEVIATION_MAX * 100} allowed); ` +
      describeRange(sampleCount, isFeasible),
  );
}

function isNear({ achieved, deviation }: ReuseCounts, target: ReuseHistogram): boolean {
  const meanDeviation = Math.abs(achieved.meanReuse / target.meanReuse - 1);
  return deviation <= SHARE_DEVIATION_MAX && meanDeviation <= MEAN_REUSE_DEVIATION_MAX;
}

function describeRange(refused: number, isFeasible: (samples: number) => boolean): string {
  const inside = nearestFeasible(refused, isFeasible);
  if (inside === undefined) {
    return "no number of samples would do: the model's tables are too few or too small";
  }
  const least = lastFeasible(inside, 1, isFeasible);
  const largest = lastFeasible(inside, SAMPLES_MAX, isFeasible);
  return `this model takes ${Math.ceil(least)} to ${Math.floor(largest)} samples`;
}

/**
 * A number that would do, looked for by halving, then by doubling. Among a few dozen samples one may
 * come out by luck; two in a row are a range.
 */
function nearestFeasible(
  refused: number,
  isFeasible: (samples: number) => boolean,
): number | undefined {
  for (let samples = refused / 2; samples >= 1; samples /= 2) {
    if (isFeasible(Math.floor(samples))) return Math.floor(samples);
  }
  for (let samples = refused * 2; samples <= SAMPLES_MAX; samples *= 2) {
    if (isFeasible(samples) && isFeasible(samples * 2)) return samples * 2;
  }
  return undefined;
}

/** The feasible number furthest towards `limit`, by steps of doubling, then by bisection. */
function lastFeasible(
  inside: number,
  limit: number,
  isFeasible: (samples: number) => boolean,
): number {
  const factor = limit > inside ? 2 : 0.5;
  let good = inside;
  let bad = inside;
  do {
    good = bad;
    bad = Math.round(good * factor);
    if (bad < 1 || bad > SAMPLES_MAX) return good;
  } while (isFeasible(bad));
  while (Math.max(good, bad) / Math.min(good, bad) > SEARCH_RATIO && Math.abs(good - bad) > 1) {
    const middle = Math.round(Math.sqrt(good * bad));
    if (isFeasible(middle)) good = middle;
    else bad = middle;
  }
  return good;
}
