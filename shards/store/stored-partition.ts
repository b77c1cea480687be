import type { StoredPartition } from "./store-catalog.js";

export function rowCountOf(partition: StoredPartition): number {
  return partition.rowEnd - partition.rowStart;
}

export function columnCountOf(partition: StoredPartition): number {
  return partition.columnEnd - partition.columnStart;
}

/** Row bytes of one block; the last one of a partition may be short. */
export function blockRowBytesOf(partition: StoredPartition, block: number): number {
  const rowsBefore = block * partition.rowsPerBlock;
  const rows = Math.min(partition.rowsPerBlock, rowCountOf(partition) - rowsBefore);
  return rows * partition.rowBytes;
}

/** For messages: `table t0 rows 0-1000`. */
export function describePartition(partition: StoredPartition): string {
  const { table, rowStart, rowEnd, columnStart, columnEnd } = partition;
  return `table ${table} rows ${rowStart}-${rowEnd} columns ${columnStart}-${columnEnd}`;
}
