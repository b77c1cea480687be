import { ShardpoolError } from "../../lib/errors.js";
import type { PlanPartition, ShardingPlan } from "../../lib/plan/plan.js";
import { compareIds } from "./compare-ids.js";

/** What changes when one plan of a model replaces another. */
export interface PlanDiff {
  readonly from: PlanSide;
  readonly to: PlanSide;
  /** Row bytes that a shard has to get because it does not hold them under the old plan. */
  readonly bytesMoved: number;
  /** Row bytes that stay on the shard where they are. */
  readonly bytesKept: number;
  /** Partitions that a shard holds under both plans, the same rows and columns: it need not build them. */
  readonly partitionsKept: number;
  readonly shards: readonly ShardDiff[];
  /** Tables of which something moves, most bytes first. */
  readonly tables: readonly TableDiff[];
}

export interface PlanSide {
  readonly strategy: string;
  readonly epoch: number;
  readonly shardCount: number;
  readonly partitionCount: number;
  /** The slowest shard's estimate; comparable where both plans have one cost source. */
  readonly slowestUs: number;
  readonly totalUs: number;
  readonly blocksPerQuery: number;
  readonly costSource: string | null;
}

export interface ShardDiff {
  readonly shard: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Null on the side that lacks the shard. */
  readonly costUsBefore: number | null;
  readonly costUsAfter: number | null;
}

export interface TableDiff {
  readonly table: string;
  readonly bytesMoved: number;
  readonly from: readonly string[];
  readonly to: readonly string[];
}

/**
 * Compares two plans of one model.
 *
 * @throws ShardpoolError PLAN_MISMATCH when they are for different models.
 */
export function diffPlans(from: ShardingPlan, to: ShardingPlan): PlanDiff {
  if (from.model.hash !== to.model.hash) {
    throw new ShardpoolError(
      "PLAN_MISMATCH",
      `the plans are for different models: ${from.model.name} version ${from.model.version} (${from.model.hash.slice(0, 12)}) ` +
        `and ${to.model.name} version ${to.model.version} (${to.model.hash.slice(0, 12)})`,
    );
  }
  const shardIds = [...from.shards, ...to.shards].map(({ id }) => id);
  const shards = [...new Set(shardIds)].toSorted(compareIds).map((id) => shardDiffOf(from, to, id));
  const bytesMoved = shards.reduce((sum, shard) => sum + shard.bytesIn, 0);
  return {
    from: sideOf(from),
    to: sideOf(to),
    bytesMoved,
    bytesKept: bytesHeld(to) - bytesMoved,
    partitionsKept: partitionsKeptOf(from, to),
    shards,
    tables: tableDiffsOf(from, to),
  };
}

function sideOf(plan: ShardingPlan): PlanSide {
  const costs = plan.estimate.map(({ costUs }) => costUs);
  return {
    strategy: plan.strategy,
    epoch: plan.epoch,
    shardCount: plan.shards.length,
    partitionCount: plan.partitions.length,
    slowestUs: Math.max(0, ...costs),
    totalUs: costs.reduce((sum, us) => sum + us, 0),
    blocksPerQuery: plan.partitions.reduce(
      (sum, { estimate }) => sum + (estimate?.blocksPerQuery ?? 0),
      0,
    ),
    costSource: plan.quality?.costSource ?? null,
  };
}

function shardDiffOf(from: ShardingPlan, to: ShardingPlan, shard: string): ShardDiff {
  const costOf = (plan: ShardingPlan): number | null =>
    plan.estimate.find((estimate) => estimate.shard === shard)?.costUs ?? null;
  return {
    shard,
    bytesIn: bytesNewOn(shard, from, to),
    bytesOut: bytesNewOn(shard, to, from),
    costUsBefore: costOf(from),
    costUsAfter: costOf(to),
  };
}

/** Row bytes that the shard holds under `to` and not under `from`. */
function bytesNewOn(shard: string, from: ShardingPlan, to: ShardingPlan, table?: string): number {
  const heldBefore = heldOn(shard, from, table);
  return heldOn(shard, to, table).reduce((sum, partition) => {
    const known = heldBefore.reduce((area, other) => area + overlapOf(partition, other), 0);
    return sum + bytesOf(partition) * (1 - known / areaOf(partition));
  }, 0);
}

function heldOn(shard: string, plan: ShardingPlan, table?: string): PlanPartition[] {
  return plan.partitions.filter(
    (partition) =>
      partition.shards.includes(shard) && (table === undefined || partition.table === table),
  );
}

function tableDiffsOf(from: ShardingPlan, to: ShardingPlan): TableDiff[] {
  const tables = [...new Set(to.partitions.map(({ table }) => table))];
  return tables
    .map((table): TableDiff => {
      const shardsOf = (plan: ShardingPlan): string[] =>
        plan.shards.map(({ id }) => id).filter((id) => heldOn(id, plan, table).length > 0);
      return {
        table,
        bytesMoved: shardsOf(to).reduce((sum, id) => sum + bytesNewOn(id, from, to, table), 0),
        from: shardsOf(from),
        to: shardsOf(to),
      };
    })
    .filter(({ bytesMoved }) => bytesMoved > 0)
    .toSorted((a, b) => b.bytesMoved - a.bytesMoved || compareIds(a.table, b.table));
}

function partitionsKeptOf(from: ShardingPlan, to: ShardingPlan): number {
  const before = new Set(
    from.partitions.flatMap(({ id, shards }) => shards.map((s) => `${id} ${s}`)),
  );
  return to.partitions
    .flatMap(({ id, shards }) => shards.map((s) => `${id} ${s}`))
    .filter((key) => before.has(key)).length;
}

function bytesHeld(plan: ShardingPlan): number {
  return plan.partitions.reduce(
    (sum, partition) => sum + bytesOf(partition) * partition.shards.length,
    0,
  );
}

function bytesOf(partition: PlanPartition): number {
  return partition.estimate?.rowBytes ?? 0;
}

function areaOf({ rowStart, rowEnd, columnStart, columnEnd }: PlanPartition): number {
  return (rowEnd - rowStart) * (columnEnd - columnStart);
}

function overlapOf(a: PlanPartition, b: PlanPartition): number {
  if (a.table !== b.table) return 0;
  const rows = Math.min(a.rowEnd, b.rowEnd) - Math.max(a.rowStart, b.rowStart);
  const columns = Math.min(a.columnEnd, b.columnEnd) - Math.max(a.columnStart, b.columnStart);
  return Math.max(0, rows) * Math.max(0, columns);
}
