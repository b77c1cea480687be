import type { ShardSums } from "./cost/shard-sums.js";
import type { CostCoefficients } from "./cost-model.js";
import type { HeldDraft, HeldShard } from "./give-memory.js";
import type { PartitionDraft } from "./partition-draft.js";
import { pinnedRowsOf } from "./pinned-rows.js";
import { cacheBudgetOf, memoryBytesOf, rowCountOf, shareByMisses } from "./shard-memory.js";
import { bytesForBlocks, shardMissCurveOf } from "./shard-miss-curve.js";

interface Placed {
  readonly draft: PartitionDraft;
  readonly queryShare: number;
  cacheBytes: number;
}

/** The slowest shard may be slower by this share than memory could make it, where others save more. */
const SLOWEST_SLACK = 1.001;

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
  const placed = shards.map((shard) => placedOn(shard));
  const budgets =
    pooledCacheBytes === undefined
      ? shards.map(({ spec }, i) => cacheBudgetOf(spec, rowCountOf(draftsOf(placed[i]!))))
      : pooledBudgets(shards, placed, coefficients, pooledCacheBytes);
  for (const [i, entries] of placed.entries()) give(entries, budgets[i]!);
  levelReplicas(placed);
  return shards.map((shard, i) => {
    const held = placed[i]!.map(heldOf);
    if (pooledCacheBytes === undefined) return { spec: shard.spec, held };
    const memoryBytes = memoryBytesOf(
      rowCountOf(held.map(({ draft }) => draft)),
      sumOf(held.map(({ cacheBytes }) => cacheBytes)),
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

function draftsOf(placed: readonly Placed[]): PartitionDraft[] {
  return placed.map(({ draft }) => draft);
}

/**
 * Pooled memory goes first where it makes the slowest shard faster: each shard gets what it needs to
 * end with the others. What is left goes where it saves most reads.
 */
function pooledBudgets(
  shards: readonly ShardSums[],
  placed: readonly (readonly Placed[])[],
  coefficients: CostCoefficients,
  budgetBytes: number,
): number[] {
  const { blockMissUs, messageUs } = coefficients;
  const rowBytes = placed.map((entries) => sumOf(entries.map(({ draft }) => draft.bytes)));
  if (sumOf(rowBytes) <= budgetBytes) return rowBytes;
  const curves = placed.map((entries) => shardMissCurveOf(draftsOf(entries)));
  const memoryUs = placed.map((entries) =>
    entries.reduce((sum, { draft }) => sum + draft.memoryUs, messageUs),
  );
  const neededFor = (us: number): number[] =>
    shards.map(({ spec }, i) =>
      placed[i]!.length === 0
        ? 0
        : bytesForBlocks(curves[i]!, (us * spec.weight - memoryUs[i]!) / blockMissUs),
    );
  const slowestUs = leastWhere(
    0,
    Math.max(
      ...shards.map(
        ({ spec }, i) => (memoryUs[i]! + curves[i]![0]!.blocks * blockMissUs) / spec.weight,
      ),
    ),
    (us) => sumOf(neededFor(us)) <= budgetBytes,
  );
  const needed = neededFor(slowestUs * SLOWEST_SLACK);
  const free = freeShares(placed, budgetBytes);
  const budgetsAt = (part: number): number[] =>
    needed.map((bytes, i) => Math.max(bytes, free[i]! * part));
  const part = -leastWhere(-1, 0, (negative) => sumOf(budgetsAt(-negative)) <= budgetBytes);
  return budgetsAt(part).map((bytes) => Math.floor(bytes));
}

/** What each shard would get if only the reads of all together counted. */
function freeShares(placed: readonly (readonly Placed[])[], budgetBytes: number): number[] {
  const bytes = shareByMisses(draftsOf(placed.flat()), budgetBytes);
  let start = 0;
  return placed.map((entries) => {
    const end = start + entries.length;
    const total = sumOf(bytes.slice(start, end));
    start = end;
    return total;
  });
}

/** The least value for which it holds, to within rounding; it holds for `high` and all above. */
function leastWhere(low: number, high: number, holds: (value: number) => boolean): number {
  let below = low;
  let least = high;
  for (let step = 0; step < 50; step++) {
    const middle = (below + least) / 2;
    if (holds(middle)) least = middle;
    else below = middle;
  }
  return least;
}

function give(placed: readonly Placed[], budgetBytes: number): void {
  const rowBytes = sumOf(placed.map(({ draft }) => draft.bytes));
  if (rowBytes <= budgetBytes) {
    for (const entry of placed) entry.cacheBytes = entry.draft.bytes;
    return;
  }
  const weights = placed.map(({ queryShare }) => queryShare);
  const bytes = shareByMisses(draftsOf(placed), budgetBytes, weights);
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

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
