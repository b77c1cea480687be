/** Why a rate was tried. */
export type PeakPurpose = "climb" | "search" | "confirm";

export interface PeakLimits {
  readonly qpsStart: number;
  readonly qpsMin: number;
  readonly qpsMax: number;
  /** The search ends when the lowest rate that failed is within this ratio of the highest that did not. */
  readonly tolerance: number;
  /** Further runs that the peak must pass, each with arrivals of its own. */
  readonly confirmationCount: number;
}

/** A peak that fails its confirmation is lowered this often before it is given up. */
const LOWERINGS_MAX = 10;

/**
 * The highest rate that meets a goal: doubled (or halved) from `qpsStart` until the goal is between
 * two rates, then halved by geometric means, then confirmed; a rate that fails a confirmation is
 * lowered by the tolerance. `null` when not even `qpsMin` meets the goal.
 */
export async function findPeak(
  tryRate: (qps: number, purpose: PeakPurpose) => Promise<boolean>,
  limits: PeakLimits,
): Promise<number | null> {
  const bracket = await findBracket(tryRate, limits);
  if (bracket === null) return null;
  let { low, high } = bracket;
  while (high / low > 1 + limits.tolerance) {
    const middle = Math.sqrt(low * high);
    if (await tryRate(middle, "search")) low = middle;
    else high = middle;
  }
  for (let lowering = 0; lowering <= LOWERINGS_MAX && low >= limits.qpsMin; lowering++) {
    if (await isConfirmed(tryRate, low, limits)) return low;
    low /= 1 + limits.tolerance;
  }
  return null;
}

/** The highest rate known to meet the goal and the lowest known not to; equal at `qpsMax`. */
async function findBracket(
  tryRate: (qps: number, purpose: PeakPurpose) => Promise<boolean>,
  { qpsStart, qpsMin, qpsMax }: PeakLimits,
): Promise<{ low: number; high: number } | null> {
  let qps = qpsStart;
  if (await tryRate(qps, "climb")) {
    while (qps < qpsMax) {
      const next = Math.min(qpsMax, qps * 2);
      if (!(await tryRate(next, "climb"))) return { low: qps, high: next };
      qps = next;
    }
    return { low: qps, high: qps };
  }
  while (qps > qpsMin) {
    const next = Math.max(qpsMin, qps / 2);
    if (await tryRate(next, "climb")) return { low: next, high: qps };
    qps = next;
  }
  return null;
}

async function isConfirmed(
  tryRate: (qps: number, purpose: PeakPurpose) => Promise<boolean>,
  qps: number,
  { confirmationCount }: PeakLimits,
): Promise<boolean> {
  for (let run = 0; run < confirmationCount; run++) {
    if (!(await tryRate(qps, "confirm"))) return false;
  }
  return true;
}
