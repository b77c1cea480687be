import type { ModelManifest } from "../../lib/model/manifest.js";
import {
  type PlanPartition,
  type PlanQuality,
  partitionIdOf,
  type ShardEstimate,
  type ShardingPlan,
  sealPlan,
} from "../../lib/plan/plan.js";
import type { AccessStatsFile } from "../../lib/stats/access-stats-file.js";
import { compareIds } from "./compare-ids.js";
import type { CostCoefficients } from "./cost-model.js";
import type { HeldDraft, HeldShard } from "./give-memory.js";
import { blocksOf, hitRatioOf } from "./partition-draft.js";

export interface PlanParts {
  readonly manifest: ModelManifest;
  readonly modelHash: string;
  readonly stats: AccessStatsFile | null;
  readonly strategy: string;
  readonly epoch: number;
  readonly held: readonly HeldShard[];
  readonly coefficients: CostCoefficients;
  readonly quality: PlanQuality;
}

/**
 * Writes down what was decided, in an order that does not depend on how it was found. Shards that
 * hold nothing are left out: a process without rows only costs memory.
 */
export function planOf(parts: PlanParts): ShardingPlan {
  const { manifest, modelHash, stats, coefficients } = parts;
  const shards = parts.held
    .filter((shard) => shard.held.length > 0)
    .toSorted((a, b) => compareIds(a.spec.id, b.spec.id));
  const partitions = partitionsOf(shards, parts);
  return sealPlan({
    formatVersion: 1,
    epoch: parts.epoch,
    model: { name: manifest.name, version: manifest.version, hash: modelHash },
    statsHash: stats?.hash ?? null,
    strategy: parts.strategy,
    shards: shards.map((shard) => shard.spec),
    partitions,
    estimate: shards.map((shard) => estimateOf(shard, coefficients)),
    quality: parts.quality,
  });
}

/** A partition that several shards hold is one partition with replicas. */
function partitionsOf(shards: readonly HeldShard[], parts: PlanParts): PlanPartition[] {
  const byId = new Map<string, PlanPartition>();
  for (const shard of shards) {
    for (const held of shard.held) {
      const partition = partitionOf(held, shard.spec.id, parts);
      const known = byId.get(partition.id);
      const holders = known === undefined ? [] : known.shards;
      byId.set(partition.id, { ...partition, shards: [...holders, ...partition.shards] });
    }
  }
  return [...byId.values()].toSorted(byPlaceInModel);
}

function partitionOf(held: HeldDraft, shardId: string, parts: PlanParts): PlanPartition {
  const { draft, cacheBytes, pinnedRows } = held;
  const { rowStart, rowEnd, columnStart, columnEnd } = draft;
  const place = { table: draft.table.name, rowStart, rowEnd, columnStart, columnEnd };
  const statsHash = parts.stats?.hash ?? null;
  const blocks = blocksOf(draft, cacheBytes);
  return {
    id: partitionIdOf({ modelHash: parts.modelHash, statsHash, ...place }),
    ...place,
    shards: [shardId],
    cacheBytes,
    pinnedRows,
    estimate: {
      rowBytes: draft.bytes,
      rowsPerQuery: rounded(draft.readsPerQuery),
      blocksPerQuery: rounded(blocks),
      costUs: rounded(draft.memoryUs + blocks * parts.coefficients.blockMissUs),
      costParts: roundedAll({
        segmentsUs: draft.overheadUs - draft.answerUs,
        rowsUs: draft.memoryUs - draft.overheadUs,
        blocksUs: blocks * parts.coefficients.blockMissUs,
        answerUs: draft.answerUs,
      }),
      hitRatio: draft.isMeasured ? rounded(hitRatioOf(draft, cacheBytes)) : null,
    },
  };
}

/** The cost of a mean query on the shard, its weight counted in. */
export function estimateOf(shard: HeldShard, coefficients: CostCoefficients): ShardEstimate {
  const { weight } = shard.spec;
  const costs = { messageUs: 0, segmentsUs: 0, rowsUs: 0, blocksUs: 0, answerUs: 0 };
  if (shard.held.length > 0) costs.messageUs = coefficients.messageUs / weight;
  let rowsPerQuery = 0;
  let rowsHit = 0;
  let rowBytes = 0;
  let cacheBytesTotal = 0;
  for (const { draft, cacheBytes, queryShare } of shard.held) {
    const share = queryShare / weight;
    const blocks = blocksOf(draft, cacheBytes);
    costs.segmentsUs += (draft.overheadUs - draft.answerUs) * share;
    costs.rowsUs += (draft.memoryUs - draft.overheadUs) * share;
    costs.blocksUs += blocks * coefficients.blockMissUs * share;
    costs.answerUs += draft.answerUs * share;
    rowsPerQuery += draft.readsPerQuery * queryShare;
    rowsHit += draft.readsPerQuery * queryShare * hitRatioOf(draft, cacheBytes);
    rowBytes += draft.bytes;
    cacheBytesTotal += cacheBytes;
  }
  const isMeasured = shard.held.some(({ draft }) => draft.isMeasured);
  return {
    shard: shard.spec.id,
    costUs: rounded(Object.values(costs).reduce((sum, us) => sum + us, 0)),
    costParts: roundedAll(costs),
    rowsPerQuery: rounded(rowsPerQuery),
    rowBytes,
    cacheBytes: cacheBytesTotal,
    hitRatio: isMeasured && rowsPerQuery > 0 ? rounded(rowsHit / rowsPerQuery) : null,
  };
}

function roundedAll<T extends Readonly<Record<string, number>>>(values: T): T {
  // The same keys go in and come out.
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, rounded(value)]),
  ) as unknown as T;
}

/** A millionth of a microsecond is no difference, and sums taken in another order may differ by it. */
function rounded(value: number): number {
  return Number(value.toPrecision(9));
}

function byPlaceInModel(a: PlanPartition, b: PlanPartition): number {
  return compareIds(a.table, b.table) || a.rowStart - b.rowStart || a.columnStart - b.columnStart;
}
