import type { CellRange, CostUnit, UnitSource } from "./cost-units.js";
import { cellWhere, splitRows } from "./cut-range.js";
import type { ShardSums } from "./shard-sums.js";

/**
 * Places units, in the order given, each on the shard that it leaves emptiest, by work or by memory,
 * whichever is scarcer there. What a shard costs with its memory is no guide while most of what will
 * share that memory is not there yet. A unit that finds no room whole is cut by rows so that what fits on the emptiest shard
 * goes there.
 *
 * @returns The units that found no room.
 */
export function placeUnits(
  units: readonly CostUnit[],
  shards: readonly ShardSums[],
  source: UnitSource,
): CostUnit[] {
  const unplaced: CostUnit[] = [];
  const waiting = units.toReversed();
  while (waiting.length > 0) {
    const unit = waiting.pop()!;
    const shard = emptiestFor(unit, shards, source.shardShare.us);
    if (shard !== undefined) {
      shard.add(unit);
      continue;
    }
    const rest = unit.canSplit ? placeLargestPart(unit, shards, source) : undefined;
    if (rest === undefined) unplaced.push(unit);
    else waiting.push(rest);
  }
  return unplaced;
}

/** First what fills most of a shard by itself, by work or by memory; equal ones by bytes. */
export function byFullness(units: readonly CostUnit[], source: UnitSource): CostUnit[] {
  const fullness = new Map(
    units.map((unit) => [unit, Math.max(source.timeShareOf(unit), source.memoryShareOf(unit))]),
  );
  return units.toSorted(
    (a, b) => fullness.get(b)! - fullness.get(a)! || b.bytes - a.bytes || (a.key < b.key ? -1 : 1),
  );
}

/** Largest first: the order that packs best where room is short. */
export function byBytes(units: readonly CostUnit[]): CostUnit[] {
  return units.toSorted(
    (a, b) => b.bytes - a.bytes || b.rowCount - a.rowCount || (a.key < b.key ? -1 : 1),
  );
}

function emptiestFor(
  unit: CostUnit,
  shards: readonly ShardSums[],
  shardUs: number,
): ShardSums | undefined {
  let best: ShardSums | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const shard of shards) {
    const fullness = shard.fullnessWith(unit, shardUs);
    if (fullness >= least) continue;
    best = shard;
    least = fullness;
  }
  return best;
}

/** Puts as many of the unit's first cells as fit on the shard where most do; gives back the rest. */
function placeLargestPart(
  unit: CostUnit,
  shards: readonly ShardSums[],
  source: UnitSource,
): CostUnit | undefined {
  const [range] = unit.parts as readonly [CellRange];
  const rules = { canSplit: true } as const;
  let best: { shard: ShardSums; cell: number } | undefined;
  const roomiest = shards.toSorted((a, b) => b.bytesFree - a.bytesFree || a.index - b.index);
  for (const shard of roomiest.slice(0, SHARDS_TRIED_MAX)) {
    const fits = (cell: number): boolean =>
      Number.isFinite(shard.costWith(source.unitOf([splitRows(range, cell)[0]], rules)));
    const first = range.cellFrom + 1;
    if (first >= range.cellTo || !fits(first)) continue;
    // The first cell that does not fit any more; the one before is the last that does.
    const cell = cellWhere(first, range.cellTo, (candidate) => !fits(candidate)) - 1;
    if (best === undefined || cell > best.cell) best = { shard, cell };
  }
  if (best === undefined) return undefined;
  const [part, rest] = splitRows(range, best.cell);
  best.shard.add(source.unitOf([part], rules));
  return source.unitOf([rest], rules);
}

/** Shards tried for a part of a table that fits nowhere whole, the emptiest ones. */
const SHARDS_TRIED_MAX = 16;
