import type { Random } from "../../lib/random.js";
import { mlperfQuerySizes } from "./query-sizes.js";

/** The first query's time, 2026-01-01 UTC, and the mean gap: logs do not depend on the day they are made. */
export const FIRST_QUERY_MS = Date.UTC(2026, 0, 1);
export const QUERY_GAP_MEAN_MS = 10;

export interface QueryTime {
  readonly sampleCount: number;
  /** Whole milliseconds since 1970-01-01 UTC. */
  readonly timeMs: number;
}

/** Queries of MLPerf's sizes at Poisson times, without end. */
export function* queryTimes(random: Random): Generator<QueryTime, never> {
  let timeMs = FIRST_QUERY_MS;
  for (const sampleCount of mlperfQuerySizes(random)) {
    yield { sampleCount, timeMs: Math.floor(timeMs) };
    timeMs += random.nextExponential(QUERY_GAP_MEAN_MS);
  }
  throw new RangeError("query sizes have no end");
}
