import type { ShardSums } from "./cost/shard-sums.js";
import type { CostCoefficients } from "./cost-model.js";
import type { HeldDraft, HeldShard } from "./give-memory.js";
import type { PartitionDraft } from "./partition-draft.js";
import { pinnedRowsOf } from "./pinned-rows.js";
import { cacheBudgetOf, memoryBytesOf, shareByMisses } from "./shard-memory.js";

interface Placed {
  readonly draft: PartitionDraft;
  readonly queryShare: number;
  cacheBytes: number;
}

/**
 * Gives memory where it saves most block reads: within each shard's own, or, with `pooledCacheBytes`,
 * over all shards together, a shard's memory being what it then needs. Replicas of a partition get the
 * same cache, that of the shard with the least to give.
 */
export function giveCostMemory(
  shards: readonly ShardSums[],
  coefficients: CostCoefficients,
  pooledCacheBytes: number | undefined,
): HeldShard[] {
  const { blockBytes } = coefficients;
  const placed = shards.map((shard) => placedOn(shard));
  if (pooledCacheBytes === undefined) {
    for (const [i, shard] of shards.entries()) {
      const drafts = placed[i]!.map(({ draft }) => draft);
      give(placed[i]!, cacheBudgetOf(shard.spec, drafts), blockBytes);
    }
    levelReplicas(placed);
  } else {
    give(placed.flat(), pooledCacheBytes, blockBytes);
  }
  return shards.map((shard, i) => {
    const held = placed[i]!.map(heldOf);
    if (pooledCacheBytes === undefined) return { spec: shard.spec, held };
    const memoryBytes = held.reduce(
      (sum, { draft, cacheBytes }) => sum + memoryBytesOf(draft, cacheBytes),
      0,
    );
    return { spec: { ...shard.spec, memoryBytesMax: Math.ceil(memoryBytes) }, held };
  });
}

function placedOn(shard: ShardSums): Placed[] {
  return shard.units
    .flatMap((unit) =>
      unit.drafts.map((draft) => ({ draft, queryShare: unit.queryShare, cacheBytes: 0 })),
    )
    .toSorted((a, b) => byPlace(a.draft, b.draft));
}

function give(placed: readonly Placed[], budgetBytes: number, blockBytes: number): void {
  const shares = placed.map(({ draft, queryShare }) => ({ draft, weight: queryShare }));
  const bytes = shareByMisses(
    shares.map(({ draft }) => draft),
    budgetBytes,
    blockBytes,
    shares.map(({ weight }) => weight),
  );
  for (const [i, entry] of placed.entries()) entry.cacheBytes = bytes[i]!;
}

function levelReplicas(placed: readonly (readonly Placed[])[]): void {
  const copies = placed.flat().filter(({ queryShare }) => queryShare < 1);
  for (const entry of copies) {
    const others = copies.filter(({ draft }) => byPlace(draft, entry.draft) === 0);
    entry.cacheBytes = Math.min(...others.map(({ cacheBytes }) => cacheBytes));
  }
}

function heldOf({ draft, queryShare, cacheBytes }: Placed): HeldDraft {
  return { draft, queryShare, cacheBytes, pinnedRows: pinnedRowsOf(draft, cacheBytes) };
}

function byPlace(a: PartitionDraft, b: PartitionDraft): number {
  if (a.table.name !== b.table.name) return a.table.name < b.table.name ? -1 : 1;
  return a.rowStart - b.rowStart || a.columnStart - b.columnStart;
}
