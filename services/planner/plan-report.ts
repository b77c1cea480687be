import type {
  PlanPartition,
  PlanQuality,
  ShardEstimate,
  ShardingPlan,
} from "../../lib/plan/plan.js";
import { compareIds } from "./compare-ids.js";

/** A plan in numbers for people: what each shard holds, what it will cost, and why. */
export interface PlanReport {
  readonly model: ShardingPlan["model"];
  readonly strategy: string;
  readonly epoch: number;
  readonly statsHash: string | null;
  readonly shards: readonly ShardReport[];
  readonly tables: readonly TableReport[];
  readonly imbalance: Imbalance;
  /** The slowest shard: what a query waits for when all shards work at once. */
  readonly criticalPath: CriticalPath;
  readonly quality: PlanQuality | null;
  /** Slowest over bound, less 1; null where the plan states no bound. */
  readonly gap: number | null;
}

export interface ShardReport {
  readonly shard: string;
  readonly weight: number;
  readonly partitionCount: number;
  readonly rowBytes: number;
  readonly cacheBytes: number;
  readonly memoryBytesMax: number;
  readonly rowsPerQuery: number;
  /** Its row reads, of all shards'. */
  readonly loadShare: number;
  readonly blocksPerQuery: number;
  readonly hitRatio: number | null;
  readonly costUs: number;
  /** What `costUs` is made of; null in plans that do not say. */
  readonly costParts: ShardEstimate["costParts"] | null;
}

export interface TableReport {
  readonly table: string;
  readonly partitionCount: number;
  readonly rowBytes: number;
  readonly cacheBytes: number;
  readonly pinnedRows: number;
  readonly rowsPerQuery: number;
  readonly blocksPerQuery: number;
  readonly hitRatio: number | null;
  readonly costUs: number;
  /** Of `costUs`, block reads. */
  readonly blocksShare: number;
  readonly shards: readonly string[];
}

/** Busiest shard over mean shard, by what is compared; 1 is even. */
export interface Imbalance {
  readonly rowBytes: number;
  readonly rowsPerQuery: number;
  readonly costUs: number;
  /** Half the summed distance of the shards' shares of cost from equal ones: work that lies wrong. */
  readonly costTotalVariation: number;
}

export interface CriticalPath {
  readonly shard: string;
  readonly costUs: number;
  /** The partitions that make up most of it, dearest first. */
  readonly partitions: readonly {
    readonly table: string;
    readonly rows: string;
    readonly columns: string;
    readonly costUs: number;
    /** Of the shard's cost. */
    readonly costShare: number;
  }[];
}

/** Enough to see what to change; the rest is in the tables. */
const CRITICAL_PARTITIONS_MAX = 5;

/** Works out a plan's report from the plan alone. */
export function describePlan(plan: ShardingPlan): PlanReport {
  const shards = plan.shards.map((spec) => shardReportOf(plan, spec.id));
  const rowsTotal = shards.reduce((sum, shard) => sum + shard.rowsPerQuery, 0);
  return {
    model: plan.model,
    strategy: plan.strategy,
    epoch: plan.epoch,
    statsHash: plan.statsHash,
    shards: shards.map((shard) => ({
      ...shard,
      loadShare: rowsTotal === 0 ? 0 : shard.rowsPerQuery / rowsTotal,
    })),
    tables: tableReportsOf(plan.partitions),
    imbalance: {
      rowBytes: maxOverMean(shards.map((shard) => shard.rowBytes)),
      rowsPerQuery: maxOverMean(shards.map((shard) => shard.rowsPerQuery)),
      costUs: maxOverMean(shards.map((shard) => shard.costUs)),
      costTotalVariation: totalVariation(shards.map((shard) => shard.costUs)),
    },
    criticalPath: criticalPathOf(plan, shards),
    quality: plan.quality ?? null,
    gap: gapOf(plan.quality),
  };
}

function gapOf(quality: PlanQuality | undefined): number | null {
  if (quality === undefined || quality.boundUs === 0) return null;
  // A bound that the plan meets may lie above it by rounding.
  return Math.max(0, quality.slowestUs / quality.boundUs - 1);
}

/** A shard whose block reads alone, one after another, take longer than a query may. */
export interface LatencyWarning {
  readonly shard: string;
  readonly blocksMs: number;
}

/** The shards that break a latency bound by their block reads alone, worst first. */
export function latencyWarningsOf(report: PlanReport, latencyBoundMs: number): LatencyWarning[] {
  return report.shards
    .map(({ shard, costParts }) => ({ shard, blocksMs: (costParts?.blocksUs ?? 0) / 1000 }))
    .filter(({ blocksMs }) => blocksMs > latencyBoundMs)
    .toSorted((a, b) => b.blocksMs - a.blocksMs || compareIds(a.shard, b.shard));
}

/** Largest of the values over their mean; 1 when there is nothing to compare. */
export function maxOverMean(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  return sum === 0 ? 1 : (Math.max(...values) * values.length) / sum;
}

function totalVariation(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  if (sum === 0) return 0;
  const even = 1 / values.length;
  return values.reduce((total, value) => total + Math.abs(value / sum - even), 0) / 2;
}

function shardReportOf(plan: ShardingPlan, shardId: string): Omit<ShardReport, "loadShare"> {
  const spec = plan.shards.find((shard) => shard.id === shardId)!;
  const estimate = plan.estimate.find((candidate) => candidate.shard === shardId);
  const held = plan.partitions.filter((partition) => partition.shards.includes(shardId));
  return {
    shard: shardId,
    weight: spec.weight,
    partitionCount: held.length,
    rowBytes: estimate?.rowBytes ?? 0,
    cacheBytes: held.reduce((sum, partition) => sum + partition.cacheBytes, 0),
    memoryBytesMax: spec.memoryBytesMax,
    rowsPerQuery: estimate?.rowsPerQuery ?? 0,
    blocksPerQuery: held.reduce((sum, partition) => sum + blocksOf(partition), 0),
    hitRatio: estimate?.hitRatio ?? null,
    costUs: estimate?.costUs ?? 0,
    costParts: estimate?.costParts ?? null,
  };
}

/** A replica serves its part of the queries. */
function blocksOf(partition: PlanPartition): number {
  return (partition.estimate?.blocksPerQuery ?? 0) / partition.shards.length;
}

function tableReportsOf(partitions: readonly PlanPartition[]): TableReport[] {
  const byTable = new Map<string, PlanPartition[]>();
  for (const partition of partitions) {
    const list = byTable.get(partition.table);
    if (list) list.push(partition);
    else byTable.set(partition.table, [partition]);
  }
  return [...byTable]
    .map(([table, list]) => tableReportOf(table, list))
    .toSorted((a, b) => b.costUs - a.costUs || compareIds(a.table, b.table));
}

function tableReportOf(table: string, partitions: readonly PlanPartition[]): TableReport {
  const sum = (amountOf: (partition: PlanPartition) => number): number =>
    partitions.reduce((total, partition) => total + amountOf(partition), 0);
  // Column ranges read the same rows: a row read counts once a column range that it is read from.
  const rowsPerQuery = sum((partition) => partition.estimate?.rowsPerQuery ?? 0);
  const costUs = sum((partition) => partition.estimate?.costUs ?? 0);
  const blocksUs = sum((partition) => partition.estimate?.costParts?.blocksUs ?? 0);
  const isMeasured = partitions.every(
    (partition) => (partition.estimate?.hitRatio ?? null) !== null,
  );
  const rowsHit = sum(({ estimate }) => (estimate?.rowsPerQuery ?? 0) * (estimate?.hitRatio ?? 0));
  return {
    table,
    partitionCount: partitions.length,
    rowBytes: sum((partition) => partition.estimate?.rowBytes ?? 0),
    cacheBytes: sum((partition) => partition.cacheBytes * partition.shards.length),
    pinnedRows: sum((partition) => partition.pinnedRows),
    rowsPerQuery,
    blocksPerQuery: sum((partition) => partition.estimate?.blocksPerQuery ?? 0),
    hitRatio: isMeasured && rowsPerQuery > 0 ? rowsHit / rowsPerQuery : null,
    costUs,
    blocksShare: costUs === 0 ? 0 : blocksUs / costUs,
    shards: [...new Set(partitions.flatMap((partition) => partition.shards))].toSorted(compareIds),
  };
}

function criticalPathOf(
  plan: ShardingPlan,
  shards: readonly Omit<ShardReport, "loadShare">[],
): CriticalPath {
  const slowest = shards.reduce((a, b) => (b.costUs > a.costUs ? b : a));
  const partitions = plan.partitions
    .filter((partition) => partition.shards.includes(slowest.shard))
    .map((partition) => {
      const costUs = (partition.estimate?.costUs ?? 0) / partition.shards.length / slowest.weight;
      return {
        table: partition.table,
        rows: `${partition.rowStart}-${partition.rowEnd}`,
        columns: `${partition.columnStart}-${partition.columnEnd}`,
        costUs,
        costShare: slowest.costUs === 0 ? 0 : costUs / slowest.costUs,
      };
    })
    .toSorted((a, b) => b.costUs - a.costUs || compareIds(a.table, b.table))
    .slice(0, CRITICAL_PARTITIONS_MAX);
  return { shard: slowest.shard, costUs: slowest.costUs, partitions };
}
