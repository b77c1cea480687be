import { ShardpoolError } from "../../lib/errors.js";
import type { ShardingPlan } from "../../lib/plan/plan.js";
import type { ShardStore } from "../store/shard-store.js";
import type { StoredPartition } from "../store/store-catalog.js";
import { rowCountOf } from "../store/stored-partition.js";
import type { CachedPartition } from "./memory-layout.js";

/**
 * The partitions a plan puts on a shard, as its store has them.
 *
 * @throws ShardpoolError PLAN_MISMATCH when the plan is for another model, puts nothing on the shard,
 * or names a partition that the store lacks.
 */
export function plannedPartitions(
  store: ShardStore,
  plan: ShardingPlan,
  shardId: string,
): CachedPartition[] {
  if (plan.model.hash !== store.catalog.modelHash) {
    throw new ShardpoolError(
      "PLAN_MISMATCH",
      `the plan is for model ${plan.model.name} version ${plan.model.version} (${plan.model.hash.slice(0, 12)}), ` +
        `${store.path} holds ${store.catalog.modelName} version ${store.catalog.modelVersion} (${store.catalog.modelHash.slice(0, 12)})`,
    );
  }
  const storedById = new Map(store.catalog.partitions.map((stored) => [stored.id, stored]));
  const planned = plan.partitions.filter((partition) => partition.shards.includes(shardId));
  if (planned.length === 0) {
    throw new ShardpoolError("PLAN_MISMATCH", `the plan puts no partition on shard ${shardId}`);
  }
  return planned.map(({ id, table, cacheBytes, pinnedRows }) => {
    const partition = storedById.get(id);
    if (partition === undefined) {
      throw new ShardpoolError(
        "PLAN_MISMATCH",
        `${store.path} lacks partition ${id} of table ${table}, which the plan puts on ${shardId}`,
      );
    }
    return { partition, cacheBytes, pinnedRows };
  });
}

/** Every partition of a store; `cacheBytes` are shared out by row bytes, all rows unless told. */
export function sharedOut(
  partitions: readonly StoredPartition[],
  cacheBytes: number | undefined,
): CachedPartition[] {
  const bytesOf = (partition: StoredPartition): number =>
    rowCountOf(partition) * partition.rowBytes;
  const total = partitions.reduce((sum, partition) => sum + bytesOf(partition), 0);
  const share = cacheBytes === undefined ? 1 : Math.min(1, cacheBytes / total);
  return partitions.map((partition) => ({
    partition,
    cacheBytes: Math.floor(bytesOf(partition) * share),
    pinnedRows: 0,
  }));
}
