import type { ModelManifest } from "../../lib/model/manifest.js";
import {
  type PlanPartition,
  partitionIdOf,
  type ShardEstimate,
  type ShardingPlan,
  sealPlan,
} from "../../lib/plan/plan.js";
import type { AccessStatsFile } from "../../lib/stats/access-stats-file.js";
import { compareIds } from "./compare-ids.js";
import type { CostCoefficients } from "./cost-model.js";
import type { HeldDraft, HeldShard } from "./give-memory.js";
import { blocksMissedAt } from "./miss-curve.js";
import { costUsOf, hitRatioOf } from "./partition-draft.js";

export interface PlanParts {
  readonly manifest: ModelManifest;
  readonly modelHash: string;
  readonly stats: AccessStatsFile | null;
  readonly strategy: string;
  readonly epoch: number;
  readonly held: readonly HeldShard[];
  readonly coefficients: CostCoefficients;
  readonly querySamples: number;
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
  const partitions = shards.flatMap((shard) =>
    shard.held.map((held) => partitionOf(held, shard.spec.id, parts)),
  );
  partitions.sort(byPlaceInModel);
  return sealPlan({
    formatVersion: 1,
    epoch: parts.epoch,
    model: { name: manifest.name, version: manifest.version, hash: modelHash },
    statsHash: stats?.hash ?? null,
    strategy: parts.strategy,
    shards: shards.map((shard) => shard.spec),
    partitions,
    estimate: shards.map((shard) => estimateOf(shard, coefficients)),
  });
}

function partitionOf(held: HeldDraft, shardId: string, parts: PlanParts): PlanPartition {
  const { draft, cacheBytes, pinnedRows } = held;
  const { rowStart, rowEnd, columnStart, columnEnd } = draft;
  const place = { table: draft.table.name, rowStart, rowEnd, columnStart, columnEnd };
  const statsHash = parts.stats?.hash ?? null;
  return {
    id: partitionIdOf({ modelHash: parts.modelHash, statsHash, ...place }),
    ...place,
    shards: [shardId],
    cacheBytes,
    pinnedRows,
    estimate: {
      rowBytes: draft.bytes,
      rowsPerQuery: rounded(draft.readsPerQuery),
      blocksPerQuery: rounded(blocksMissedAt(draft.missCurve, cacheBytes)),
      costUs: rounded(costUsOf(draft, cacheBytes, parts.coefficients)),
      hitRatio: draft.isMeasured ? rounded(hitRatioOf(draft, cacheBytes)) : null,
    },
  };
}

/** The cost of a mean query on the shard, its weight counted in. */
function estimateOf(shard: HeldShard, coefficients: CostCoefficients): ShardEstimate {
  let costUs = shard.held.length === 0 ? 0 : coefficients.messageUs;
  let rowsPerQuery = 0;
  let rowsHit = 0;
  let rowBytes = 0;
  let cacheBytesTotal = 0;
  for (const { draft, cacheBytes } of shard.held) {
    costUs += costUsOf(draft, cacheBytes, coefficients);
    rowsPerQuery += draft.readsPerQuery;
    rowsHit += draft.readsPerQuery * hitRatioOf(draft, cacheBytes);
    rowBytes += draft.bytes;
    cacheBytesTotal += cacheBytes;
  }
  const isMeasured = shard.held.some(({ draft }) => draft.isMeasured);
  return {
    shard: shard.spec.id,
    costUs: rounded(costUs / shard.spec.weight),
    rowsPerQuery: rounded(rowsPerQuery),
    rowBytes,
    cacheBytes: cacheBytesTotal,
    hitRatio: isMeasured && rowsPerQuery > 0 ? rounded(rowsHit / rowsPerQuery) : null,
  };
}

/** A millionth of a microsecond is no difference, and sums taken in another order may differ by it. */
function rounded(value: number): number {
  return Number(value.toPrecision(9));
}

function byPlaceInModel(a: PlanPartition, b: PlanPartition): number {
  return compareIds(a.table, b.table) || a.rowStart - b.rowStart || a.columnStart - b.columnStart;
}
