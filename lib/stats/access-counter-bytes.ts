import { COUNTER_BYTES } from "./row-counter.js";

/** Rows that a shard counts the reads of exactly; partitions that have more are sketched in as many counters. */
export const ACCESS_COUNTED_ROWS_MAX = 2 ** 22;

/** Most bytes that counters of so many rows come to on a shard: after a reset the old ones are still sent. */
export function accessCounterBytesOf(rowCount: number, rowsMax = ACCESS_COUNTED_ROWS_MAX): number {
  return 2 * COUNTER_BYTES * Math.min(rowCount, rowsMax);
}
