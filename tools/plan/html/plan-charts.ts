import type { PlanPartition, ShardingPlan } from "../../../lib/plan/plan.js";
import type { PlanReport } from "../../../services/planner/plan-report.js";
import { formatBytes } from "../../cli/table.js";
import { oneDigit, us } from "../plan-numbers.js";
import type { ColumnChart, ColumnPiece } from "./column-chart.js";

/** What each shard spends a query's time on, with the bound as a mark. */
export function costChart(report: PlanReport): ColumnChart {
  const columns = report.shards.map(({ shard, costUs, costParts }) => {
    const parts = costParts ?? {
      messageUs: 0,
      segmentsUs: 0,
      rowsUs: costUs,
      blocksUs: 0,
      answerUs: 0,
    };
    const piece = (className: string, name: string, value: number): ColumnPiece => ({
      className,
      value,
      tooltip: `${shard}: ${name} ${us(value)} of ${us(costUs)} µs`,
    });
    return {
      name: shard,
      pieces: [
        piece("message", "message", parts.messageUs),
        piece("segments", "segments and bags", parts.segmentsUs),
        piece("answer", "answer", parts.answerUs),
        piece("rows", "rows in memory", parts.rowsUs),
        piece("blocks", "block reads", parts.blocksUs),
      ],
    };
  });
  const { quality } = report;
  return {
    label: "Estimated microseconds of a query by shard",
    columns,
    format: (value) => `${us(value)} µs`,
    ...(quality === null
      ? {}
      : { mark: { value: quality.boundUs, name: `bound ${us(quality.boundUs)} µs` } }),
  };
}

/** The same by partition, dearest at the bottom. */
export function partitionChart(plan: ShardingPlan): ColumnChart {
  return {
    label: "Estimated microseconds of a query by shard and partition",
    columns: plan.shards.map(({ id, weight }) => ({
      name: id,
      pieces: heldOn(plan, id)
        .map((partition) => costPiece(partition, weight))
        .toSorted((a, b) => b.value - a.value),
    })),
    format: (value) => `${us(value)} µs`,
  };
}

/** Row bytes by partition, largest at the bottom, the cached part full. */
export function bytesChart(plan: ShardingPlan): ColumnChart {
  return {
    label: "Row bytes by shard and partition",
    columns: plan.shards.map(({ id }) => ({
      name: id,
      pieces: heldOn(plan, id)
        .map(bytesPiece)
        .toSorted((a, b) => b.value - a.value),
    })),
    format: (value) => formatBytes(value),
    base: 1024,
  };
}

function heldOn(plan: ShardingPlan, shard: string): PlanPartition[] {
  return plan.partitions.filter((partition) => partition.shards.includes(shard));
}

function costPiece(partition: PlanPartition, weight: number): ColumnPiece {
  const { estimate, shards } = partition;
  const value = (estimate?.costUs ?? 0) / shards.length / weight;
  const blocksUs = estimate?.costParts?.blocksUs ?? 0;
  const isMostlyBlocks = blocksUs * 2 > (estimate?.costUs ?? 0);
  return {
    value,
    className: isMostlyBlocks ? "blocks" : "rows",
    name: partition.table,
    tooltip: `${nameOf(partition)}\n${us(value)} µs a query, ${oneDigit(estimate?.blocksPerQuery ?? 0)} blocks`,
  };
}

function bytesPiece(partition: PlanPartition): ColumnPiece {
  const rowBytes = partition.estimate?.rowBytes ?? 0;
  return {
    value: rowBytes,
    className: "rows",
    name: partition.table,
    fullShare: Math.min(1, partition.cacheBytes / Math.max(1, rowBytes)),
    tooltip: `${nameOf(partition)}\n${formatBytes(rowBytes)}, ${formatBytes(partition.cacheBytes)} in memory`,
  };
}

function nameOf(partition: PlanPartition): string {
  const { table, rowStart, rowEnd, columnStart, columnEnd, shards } = partition;
  const copies = shards.length > 1 ? `, ${shards.length} replicas` : "";
  return `${table} rows ${rowStart}-${rowEnd} columns ${columnStart}-${columnEnd}${copies}`;
}
