import type { ShardSpec } from "../../lib/plan/plan.js";
import { accessCounterBytesOf } from "../../lib/stats/access-counter-bytes.js";
import { blocksMissedAt, type MissCurve } from "./miss-curve.js";
import { type PartitionDraft, wholeBlocksOf } from "./partition-draft.js";

/** Memory a shard needs beside the row bytes it keeps: slots, lists, the process itself. */
export const MEMORY_OVERHEAD_FRACTION = 0.15;

/** Memory a shard needs for every row it stores, in memory or not: where the row lies. */
export const MEMORY_BYTES_A_ROW = 0.5;

/** A shard works with a cache of one block a partition, and not with less. */
export function leastCacheBytesOf(draft: PartitionDraft): number {
  return Math.min(draft.bytes, blockBytesOf(draft));
}

/** Memory of a shard that stores so many rows, whatever it caches: where each lies, and how often it is read. */
export function fixedMemoryOf(rowCount: number): number {
  return rowCount * MEMORY_BYTES_A_ROW + accessCounterBytesOf(rowCount);
}

/** Bytes that a shard takes of its `memoryBytesMax` with so many rows and so much cache. */
export function memoryBytesOf(rowCount: number, cacheBytes: number): number {
  return cacheBytes * (1 + MEMORY_OVERHEAD_FRACTION) + fixedMemoryOf(rowCount);
}

/** Row bytes that fit into a shard's memory beside what its rows need whatever is cached. */
export function cacheBudgetOf(
  { memoryBytesMax }: Pick<ShardSpec, "memoryBytesMax">,
  rowCount: number,
): number {
  return Math.floor((memoryBytesMax - fixedMemoryOf(rowCount)) / (1 + MEMORY_OVERHEAD_FRACTION));
}

export function rowCountOf(drafts: readonly PartitionDraft[]): number {
  return drafts.reduce((sum, { rowStart, rowEnd }) => sum + rowEnd - rowStart, 0);
}

/**
 * Gives each partition the same part of its row bytes, as much as the budget allows.
 *
 * @returns Cache bytes by position, whole blocks, each at least what a shard needs to work.
 */
export function shareByBytes(drafts: readonly PartitionDraft[], budgetBytes: number): number[] {
  const least = drafts.map(leastCacheBytesOf);
  const leastTotal = least.reduce((sum, bytes) => sum + bytes, 0);
  const bytesTotal = drafts.reduce((sum, draft) => sum + draft.bytes, 0);
  const above = bytesTotal - leastTotal;
  const fraction = above <= 0 ? 0 : Math.min(1, (budgetBytes - leastTotal) / above);
  const wanted = drafts.map(
    (draft, i) => least[i]! + Math.max(0, fraction) * (draft.bytes - least[i]!),
  );
  return inWholeBlocks(drafts, wanted, budgetBytes);
}

/** Savings a byte within this factor of each other count as the same. */
export const SLOPE_STEP = 1.05;

/**
 * Gives memory where the next byte saves most block reads, by the partitions' convex miss curves:
 * the best sharing there is for such curves, to within `SLOPE_STEP` at its edge. Partitions that would
 * save about as much get the same part of what they ask for, so that equals stay equal.
 *
 * @param weights Of a partition's reads, those that come here; 1 unless told.
 * @returns Cache bytes by position, whole blocks, each at least what a shard needs to work.
 */
export function shareByMisses(
  drafts: readonly PartitionDraft[],
  budgetBytes: number,
  weights?: readonly number[],
): number[] {
  const bytes = drafts.map(leastCacheBytesOf);
  let left = budgetBytes - bytes.reduce((sum, value) => sum + value, 0);
  const steps = drafts.flatMap((draft, i) =>
    stepsOf(draft.missCurve, i, bytes[i]!, weights?.[i] ?? 1),
  );
  steps.sort((a, b) => b.slopeClass - a.slopeClass);
  for (let start = 0, end = 0; start < steps.length && left > 0; start = end) {
    while (end < steps.length && steps[end]!.slopeClass === steps[start]!.slopeClass) end++;
    const equals = steps.slice(start, end);
    const wanted = equals.reduce((sum, step) => sum + step.bytes, 0);
    const given = Math.min(1, left / wanted);
    for (const step of equals) bytes[step.position] = bytes[step.position]! + step.bytes * given;
    left -= wanted;
  }
  return inWholeBlocks(drafts, bytes, budgetBytes);
}

interface MemoryStep {
  readonly position: number;
  /** Bytes that it asks for. */
  readonly bytes: number;
  /** Logarithm of the blocks saved a byte, in steps of `SLOPE_STEP`. */
  readonly slopeClass: number;
}

function stepsOf(curve: MissCurve, position: number, least: number, weight: number): MemoryStep[] {
  const steps: MemoryStep[] = [];
  for (let i = 1; i < curve.length; i++) {
    const a = curve[i - 1]!;
    const b = curve[i]!;
    if (b.bytes <= least) continue;
    const blocksAByte = (weight * (a.blocks - b.blocks)) / (b.bytes - a.bytes);
    const slopeClass = Math.round(Math.log(blocksAByte) / Math.log(SLOPE_STEP));
    steps.push({ position, bytes: b.bytes - Math.max(a.bytes, least), slopeClass });
  }
  return steps;
}

/**
 * Rounds down to whole blocks, which is what memory holds, and gives what that leaves block by block
 * where the next one saves most reads a byte.
 */
function inWholeBlocks(
  drafts: readonly PartitionDraft[],
  wanted: readonly number[],
  budgetBytes: number,
): number[] {
  const bytes = drafts.map((draft, i) => wholeBlocksOf(draft, wanted[i]!));
  let left = Math.min(budgetBytes, sumOf(wanted)) - sumOf(bytes);
  const further = drafts
    .map((draft, i) => nextBlockOf(draft, i, bytes[i]!))
    .filter((block, i) => block.bytes > 0 && wanted[i]! > bytes[i]!)
    .toSorted((a, b) => b.blocksAByte - a.blocksAByte || a.position - b.position);
  for (const block of further) {
    if (block.bytes > left) continue;
    bytes[block.position] = bytes[block.position]! + block.bytes;
    left -= block.bytes;
  }
  return bytes;
}

function nextBlockOf(
  draft: PartitionDraft,
  position: number,
  cacheBytes: number,
): { readonly position: number; readonly bytes: number; readonly blocksAByte: number } {
  const bytes = Math.min(blockBytesOf(draft), draft.bytes - cacheBytes);
  const { missCurve } = draft;
  const saved =
    blocksMissedAt(missCurve, cacheBytes) - blocksMissedAt(missCurve, cacheBytes + bytes);
  return { position, bytes, blocksAByte: saved / Math.max(1, bytes) };
}

function blockBytesOf({ rowsPerBlock, rowBytes }: PartitionDraft): number {
  return rowsPerBlock * rowBytes;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
