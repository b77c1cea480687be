import type { ShardReport, TableReport } from "../../services/planner/plan-report.js";
import { formatBytes, formatCount } from "../cli/table.js";
import { oneDigit, percent, ratio, us } from "./plan-numbers.js";

/** A shard's line of a plan report, the same as text and on a page. */
export function shardCells(shard: ShardReport): string[] {
  return [
    shard.weight === 1 ? shard.shard : `${shard.shard} (weight ${shard.weight})`,
    formatCount(shard.partitionCount),
    formatBytes(shard.rowBytes),
    formatBytes(shard.cacheBytes),
    shard.memoryBytesMax === Number.MAX_SAFE_INTEGER ? "any" : formatBytes(shard.memoryBytesMax),
    formatCount(shard.rowsPerQuery),
    percent(shard.loadShare),
    ratio(shard.hitRatio),
    oneDigit(shard.blocksPerQuery),
    us(shard.costUs),
  ];
}

/** A table's line of a plan report, but for the shards it lies on, which come last. */
export function tableCells(table: TableReport): string[] {
  return [
    table.table,
    formatCount(table.partitionCount),
    formatBytes(table.rowBytes),
    formatBytes(table.cacheBytes),
    formatCount(table.pinnedRows),
    formatCount(table.rowsPerQuery),
    ratio(table.hitRatio),
    oneDigit(table.blocksPerQuery),
    us(table.costUs),
  ];
}
