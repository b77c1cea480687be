import type { CellRange, CostUnit, UnitSource } from "./cost-units.js";
import type { ShardSums } from "./shard-sums.js";

/**
 * Joins neighbouring ranges of one table: those on one shard, and those on two where one of them has
 * the time for both. Every join saves a segment and its share of an answer on each query.
 *
 * @param limitUs No shard gets dearer than this by a join.
 */
export function mergeUnits(
  shards: readonly ShardSums[],
  source: UnitSource,
  limitUs: number,
): void {
  for (let joined = true; joined; ) {
    joined = false;
    for (const [a, b] of neighboursOf(shards)) {
      joined = tryJoin(a, b, source, limitUs) || joined;
    }
  }
}

interface Held {
  readonly shard: ShardSums;
  readonly unit: CostUnit;
  readonly range: CellRange;
}

function neighboursOf(shards: readonly ShardSums[]): [Held, Held][] {
  const byTable = new Map<number, Held[]>();
  for (const shard of shards) {
    for (const unit of shard.units) {
      const [range] = unit.parts;
      if (range === undefined || !unit.canSplit) continue;
      const list = byTable.get(range.tableIndex);
      if (list) list.push({ shard, unit, range });
      else byTable.set(range.tableIndex, [{ shard, unit, range }]);
    }
  }
  const pairs: [Held, Held][] = [];
  for (const list of byTable.values()) {
    for (const a of list) {
      for (const b of list) if (joinOf(a.range, b.range) !== undefined) pairs.push([a, b]);
    }
  }
  return pairs;
}

/** The range that two make together, the first one below or left of the second. */
function joinOf(a: CellRange, b: CellRange): CellRange | undefined {
  const sameColumns = a.columnStart === b.columnStart && a.columnEnd === b.columnEnd;
  if (sameColumns && a.cellTo === b.cellFrom) return { ...a, cellTo: b.cellTo };
  const sameRows = a.cellFrom === b.cellFrom && a.cellTo === b.cellTo;
  if (sameRows && a.columnEnd === b.columnStart) return { ...a, columnEnd: b.columnEnd };
  return undefined;
}

function tryJoin(a: Held, b: Held, source: UnitSource, limitUs: number): boolean {
  // An earlier join of this round may have used one of the two up.
  if (!a.shard.units.includes(a.unit) || !b.shard.units.includes(b.unit)) return false;
  const range = joinOf(a.range, b.range);
  if (range === undefined) return false;
  const joined = source.unitOf([range], { canSplit: true });
  if (a.shard === b.shard) return joinOn(a, b, joined, limitUs);
  return joinAcross(a, b, joined, limitUs) || joinAcross(b, a, joined, limitUs);
}

function joinOn(a: Held, b: Held, joined: CostUnit, limitUs: number): boolean {
  const { shard } = a;
  const beforeUs = shard.costUs;
  shard.remove(a.unit);
  shard.remove(b.unit);
  shard.add(joined);
  if (shard.costUs <= Math.max(limitUs, beforeUs)) return true;
  shard.remove(joined);
  shard.add(a.unit);
  shard.add(b.unit);
  return false;
}

/** Gives the joined range to `to`, if that has the time and the two shards together then work less. */
function joinAcross(to: Held, from: Held, joined: CostUnit, limitUs: number): boolean {
  const toUs = to.shard.costWith(joined, to.unit);
  const fromUs = from.shard.costWith(undefined, from.unit);
  const workBefore =
    to.shard.costUs * to.shard.spec.weight + from.shard.costUs * from.shard.spec.weight;
  const workAfter = toUs * to.shard.spec.weight + fromUs * from.shard.spec.weight;
  if (toUs > limitUs || workAfter >= workBefore) return false;
  from.shard.remove(from.unit);
  to.shard.remove(to.unit);
  to.shard.add(joined);
  return true;
}
