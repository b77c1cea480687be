import type { CellRange, CostUnit, UnitSource } from "./cost-units.js";
import { cellWhere } from "./cut-range.js";
import type { Move } from "./local-search.js";
import type { ShardSums } from "./shard-sums.js";

/** Neighbouring partitions looked at for one slowest shard. */
const NEIGHBOURS_MAX = 8;

/**
 * The best way to move a boundary between two neighbouring ranges of rows, one on the slowest shard
 * and one on another, so that both shards end up below `limitUs`. It evens load without a further cut.
 */
export function bestShift(
  slowest: ShardSums,
  targets: readonly ShardSums[],
  source: UnitSource,
  limitUs: number,
): Move | undefined {
  let best: Move | undefined;
  let looked = 0;
  for (const target of targets) {
    if (target.costUs >= limitUs || looked >= NEIGHBOURS_MAX) break;
    for (const [unit, other] of neighboursOn(slowest, target)) {
      if (looked++ >= NEIGHBOURS_MAX) break;
      const move = shift(unit, other, slowest, target, source);
      if (move.slowestUs < (best?.slowestUs ?? limitUs)) best = move;
    }
  }
  return best;
}

/** Pairs of ranges of one table that touch, by rows, with the same columns. */
function neighboursOn(a: ShardSums, b: ShardSums): [CostUnit, CostUnit][] {
  const pairs: [CostUnit, CostUnit][] = [];
  for (const unit of a.units) {
    if (!unit.canSplit) continue;
    for (const other of b.units)
      if (other.canSplit && touches(unit, other)) pairs.push([unit, other]);
  }
  return pairs;
}

function touches(a: CostUnit, b: CostUnit): boolean {
  const [x] = a.parts as readonly [CellRange];
  const [y] = b.parts as readonly [CellRange];
  return (
    x.tableIndex === y.tableIndex &&
    x.columnStart === y.columnStart &&
    x.columnEnd === y.columnEnd &&
    (x.cellTo === y.cellFrom || y.cellTo === x.cellFrom)
  );
}

/** Gives the other range as many cells of the unit's as make both shards most equal. */
function shift(
  unit: CostUnit,
  other: CostUnit,
  slowest: ShardSums,
  target: ShardSums,
  source: UnitSource,
): Move {
  const [range] = unit.parts as readonly [CellRange];
  const [next] = other.parts as readonly [CellRange];
  const isBelow = range.cellTo === next.cellFrom;
  const cellCount = range.cellTo - range.cellFrom;
  const rules = { canSplit: true };
  const moveOf = (given: number): Move => {
    const kept = isBelow
      ? { ...range, cellTo: range.cellTo - given }
      : { ...range, cellFrom: range.cellFrom + given };
    const grown = isBelow
      ? { ...next, cellFrom: next.cellFrom - given }
      : { ...next, cellTo: next.cellTo + given };
    const keptUnit = given === cellCount ? undefined : source.unitOf([kept], rules);
    const grownUnit = source.unitOf([grown], rules);
    const keptUs = slowest.costWith(keptUnit, unit);
    const grownUs = target.costWith(grownUnit, other);
    return {
      slowestUs: Math.max(keptUs, grownUs),
      changes: [
        { shard: slowest, removed: [unit], added: keptUnit === undefined ? [] : [keptUnit] },
        { shard: target, removed: [other], added: [grownUnit] },
      ],
    };
  };
  // The more cells go, the cheaper the one shard and the dearer the other.
  const given = cellWhere(1, cellCount, (count) => {
    const [from, to] = moveOf(count).changes;
    const fromUs = from!.shard.costWith(from!.added[0], from!.removed[0]);
    return to!.shard.costWith(to!.added[0], to!.removed[0]) >= fromUs;
  });
  const here = moveOf(given);
  if (given === 1) return here;
  const before = moveOf(given - 1);
  return before.slowestUs < here.slowestUs ? before : here;
}
