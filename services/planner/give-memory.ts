import type { ShardSpec } from "../../lib/plan/plan.js";
import { type PartitionDraft, wholeBlocksOf } from "./partition-draft.js";
import type { ShardLoad } from "./place-greedy.js";
import {
  cacheBudgetOf,
  leastCacheBytesOf,
  memoryBytesOf,
  rowCountOf,
  shareByBytes,
} from "./shard-memory.js";

/** How much memory there is: a part of all row bytes, or what each shard's spec says. */
export type MemoryRule =
  | { readonly kind: "fraction"; readonly fraction: number }
  | { readonly kind: "given" };

/** One shard and what it holds, memory included. */
export interface HeldShard {
  readonly spec: ShardSpec;
  readonly held: readonly HeldDraft[];
}

export interface HeldDraft {
  readonly draft: PartitionDraft;
  /** Of the queries, those it answers: less than 1 where replicas answer the others. */
  readonly queryShare: number;
  readonly cacheBytes: number;
  readonly pinnedRows: number;
}

/**
 * Gives every partition the same part of its row bytes as cache: the stated fraction, or as much as
 * its shard's memory allows. With a fraction, a shard's memory is what it then needs.
 */
export function giveMemory(shards: readonly ShardLoad[], rule: MemoryRule): HeldShard[] {
  return shards.map((shard) => {
    const drafts = shard.units.flatMap((unit) => unit.drafts);
    if (rule.kind === "given") {
      const budget = cacheBudgetOf(shard.spec, rowCountOf(drafts));
      const cacheBytes = shareByBytes(drafts, budget);
      return heldShard(shard.spec, drafts, cacheBytes);
    }
    const cacheBytes = drafts.map((draft) => fractionOf(draft, rule.fraction));
    const memoryBytesMax = Math.ceil(
      memoryBytesOf(
        rowCountOf(drafts),
        cacheBytes.reduce((sum, bytes) => sum + bytes, 0),
      ),
    );
    return heldShard({ ...shard.spec, memoryBytesMax }, drafts, cacheBytes);
  });
}

/** In whole blocks, none more than the fraction has room for, but for the one that every partition has. */
function fractionOf(draft: PartitionDraft, fraction: number): number {
  return Math.max(leastCacheBytesOf(draft), wholeBlocksOf(draft, draft.bytes * fraction));
}

function heldShard(
  spec: ShardSpec,
  drafts: readonly PartitionDraft[],
  cacheBytes: readonly number[],
): HeldShard {
  const held = drafts.map((draft, i) => ({
    draft,
    queryShare: 1,
    cacheBytes: cacheBytes[i]!,
    pinnedRows: 0,
  }));
  return { spec, held };
}
