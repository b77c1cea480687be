import type { Statement } from "better-sqlite3";
import { BLOCK_CRC_BYTES, sealBlock } from "./block-layout.js";
import { LINE_BYTES, lineCountOf, type RowClasses } from "./row-classes.js";
import type { StoredPartition } from "./store-catalog.js";
import { rowCountOf } from "./stored-partition.js";

/** Lines stored and checked together: 65,536 rows. */
export const LINES_PER_RUN = 512;

/** Runs a partition has at most: 2^31 rows of 65,536. */
const RUNS_MAX = 2 ** 15;

/** Runs of a partition's row classes. */
export function runCountOf(partition: StoredPartition): number {
  return Math.ceil(lineCountOf(rowCountOf(partition)) / LINES_PER_RUN);
}

/** A run's id in the store. */
export function runIdOf(partition: StoredPartition, run: number): number {
  return partition.number * RUNS_MAX + run;
}

/** Bytes of a run; the last one of a partition may be short. */
export function runBytesOf(partition: StoredPartition, run: number): number {
  const lines = lineCountOf(rowCountOf(partition)) - run * LINES_PER_RUN;
  return Math.min(LINES_PER_RUN, lines) * LINE_BYTES;
}

/** Writes a partition's row classes, sealed run by run. */
export function insertRowClasses(
  insert: Statement,
  partition: StoredPartition,
  classes: RowClasses,
): void {
  let start = 0;
  for (let run = 0; run < runCountOf(partition); run++) {
    const bytes = runBytesOf(partition, run);
    const sealed = Buffer.alloc(bytes + BLOCK_CRC_BYTES);
    sealed.set(classes.planes.subarray(start, start + bytes));
    sealBlock(sealed, runIdOf(partition, run));
    insert.run(runIdOf(partition, run), sealed);
    start += bytes;
  }
}
