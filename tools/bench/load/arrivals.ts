import type { Random } from "../../../lib/random.js";

/** A stretch of time in which the offered rate goes in a straight line from one value to another. */
export interface RateSegment {
  readonly seconds: number;
  readonly qpsStart: number;
  readonly qpsEnd: number;
}

/** One rate all the time. */
export function constantRate(qps: number, seconds: number): readonly RateSegment[] {
  return [{ seconds, qpsStart: qps, qpsEnd: qps }];
}

/**
 * Moments of a Poisson process with the given rate, rising, in milliseconds from its start.
 *
 * The number of arrivals is the rate's integral, rounded, and not itself drawn: given its count, a
 * Poisson process is that many uniform draws, so gaps are exponential all the same, and every seed
 * offers the same load.
 */
export function poissonArrivals(segments: readonly RateSegment[], random: Random): Float64Array {
  const expected = segments.reduce((sum, segment) => sum + expectedArrivals(segment), 0);
  const count = Math.round(expected);
  const dueMs = new Float64Array(count);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    sum += random.nextExponential(1);
    dueMs[i] = sum;
  }
  sum += random.nextExponential(1);
  for (let i = 0; i < count; i++) dueMs[i]! *= expected / sum;
  stretchToRate(dueMs, segments);
  return dueMs;
}

/** Replaces each unit-rate moment by the moment at which the rate's integral reaches it. */
function stretchToRate(dueMs: Float64Array, segments: readonly RateSegment[]): void {
  let arrivalsBefore = 0;
  let secondsBefore = 0;
  let i = 0;
  for (const segment of segments) {
    const arrivalsAfter = arrivalsBefore + expectedArrivals(segment);
    const isLast = segment === segments.at(-1);
    for (; i < dueMs.length && (isLast || dueMs[i]! < arrivalsAfter); i++) {
      const seconds = secondsUntil(dueMs[i]! - arrivalsBefore, segment);
      dueMs[i] = (secondsBefore + Math.min(seconds, segment.seconds)) * 1000;
    }
    arrivalsBefore = arrivalsAfter;
    secondsBefore += segment.seconds;
  }
}

/** Solves start * t + slope / 2 * t^2 = arrivals for t, in the form that holds for slope 0. */
function secondsUntil(arrivals: number, { seconds, qpsStart, qpsEnd }: RateSegment): number {
  if (arrivals <= 0) return 0;
  const slope = (qpsEnd - qpsStart) / seconds;
  const discriminant = Math.max(0, qpsStart * qpsStart + 2 * slope * arrivals);
  return (2 * arrivals) / (qpsStart + Math.sqrt(discriminant));
}

function expectedArrivals({ seconds, qpsStart, qpsEnd }: RateSegment): number {
  return (seconds * (qpsStart + qpsEnd)) / 2;
}
