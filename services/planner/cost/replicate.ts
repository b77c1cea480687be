import { type CostUnit, replicaOf } from "./cost-units.js";
import { slowestOf } from "./local-search.js";
import type { ShardSums } from "./shard-sums.js";

/** A further copy has to make the slowest shard faster by this share, for the bytes it takes. */
const GAIN_MIN = 0.005;

/**
 * Copies what is hot on the slowest shard to shards with room, as long as that makes it faster: the
 * holders of a partition answer its queries in turns.
 *
 * @param replicasMax Copies of a partition, the first included.
 */
export function replicateHot(shards: readonly ShardSums[], replicasMax: number): void {
  if (replicasMax < 2) return;
  for (let rounds = 0; rounds < shards.length * replicasMax; rounds++) {
    if (!replicateOnce(shards, slowestOf(shards), replicasMax)) return;
  }
}

function replicateOnce(
  shards: readonly ShardSums[],
  slowest: ShardSums,
  replicasMax: number,
): boolean {
  let best: { unit: CostUnit; target: ShardSums } | undefined;
  let bestUs = slowest.costUs * (1 - GAIN_MIN);
  for (const unit of slowest.units) {
    const replicaCount = Math.round(1 / unit.queryShare) + 1;
    if (replicaCount > replicasMax || unit.pinnedTo !== undefined) continue;
    const replica = replicaOf(unit, replicaCount);
    const restUs = slowest.costWith(replica, unit);
    if (restUs >= bestUs) continue;
    for (const target of shards) {
      if (target.units.some((held) => held.key === unit.key)) continue;
      const slowestUs = Math.max(restUs, target.costWith(replica));
      if (slowestUs >= bestUs) continue;
      best = { unit, target };
      bestUs = slowestUs;
    }
  }
  if (best === undefined) return false;
  shareQueries(shards, best.unit, best.target);
  return true;
}

/** Every holder answers the same part from here on, the further one too. */
function shareQueries(shards: readonly ShardSums[], unit: CostUnit, target: ShardSums): void {
  const replica = replicaOf(unit, Math.round(1 / unit.queryShare) + 1);
  for (const shard of shards) {
    const held = shard.units.find((candidate) => candidate.key === unit.key);
    if (held === undefined) continue;
    shard.remove(held);
    shard.add(replica);
  }
  target.add(replica);
}
