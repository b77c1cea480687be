import { blocksMissedAt, type MissCurve } from "./miss-curve.js";
import type { PartitionDraft } from "./partition-draft.js";
import { leastCacheBytesOf } from "./shard-memory.js";

/**
 * Blocks that a shard reads in a mean query by the cache of all its partitions, shared where it saves
 * most; it starts at the least cache that works.
 */
export function shardMissCurveOf(drafts: readonly PartitionDraft[]): MissCurve {
  let bytes = 0;
  let blocks = 0;
  const steps: { bytes: number; blocks: number }[] = [];
  for (const draft of drafts) {
    const least = leastCacheBytesOf(draft);
    bytes += least;
    blocks += blocksMissedAt(draft.missCurve, least);
    const curve = draft.missCurve;
    for (let i = 1; i < curve.length; i++) {
      const from = Math.max(least, curve[i - 1]!.bytes);
      const to = curve[i]!.bytes;
      if (to <= from) continue;
      const saved = blocksMissedAt(curve, from) - curve[i]!.blocks;
      steps.push({ bytes: to - from, blocks: saved });
    }
  }
  steps.sort((a, b) => b.blocks / b.bytes - a.blocks / a.bytes);
  const points = [{ bytes, blocks }];
  for (const step of steps) {
    bytes += step.bytes;
    blocks = Math.max(0, blocks - step.blocks);
    points.push({ bytes, blocks });
  }
  return points;
}

/** The least cache with which no more than `blocks` are read; infinite where none is enough. */
export function bytesForBlocks(curve: MissCurve, blocks: number): number {
  if (curve[0]!.blocks <= blocks) return curve[0]!.bytes;
  let low = 0;
  let high = curve.length - 1;
  if (curve[high]!.blocks > blocks) return Number.POSITIVE_INFINITY;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (curve[middle]!.blocks > blocks) low = middle;
    else high = middle;
  }
  const a = curve[low]!;
  const b = curve[high]!;
  return a.bytes + ((b.bytes - a.bytes) * (a.blocks - blocks)) / (a.blocks - b.blocks);
}
