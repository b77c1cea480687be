import type { CellRange, CostUnit, UnitSource } from "./cost-units.js";
import { cellWhere, columnCutsOf, splitColumns, splitRows } from "./cut-range.js";
import type { Move } from "./local-search.js";
import type { ShardSums } from "./shard-sums.js";

/** The dearest units of a shard are split first, and parts of them offered to the emptiest shards. */
const UNITS_TRIED_MAX = 3;
const TARGETS_TRIED_MAX = 2;

/**
 * The best way to split one unit of the slowest shard in two and give one part to another shard, so
 * that both end up below `limitUs`: by rows at the cell that makes them most equal, or by columns.
 */
export function bestSplit(
  slowest: ShardSums,
  targets: readonly ShardSums[],
  source: UnitSource,
  limitUs: number,
): Move | undefined {
  let best: Move | undefined;
  const consider = (candidate: Move | undefined): void => {
    if (candidate === undefined || candidate.slowestUs >= (best?.slowestUs ?? limitUs)) return;
    best = candidate;
  };
  const splittable = slowest.units
    .filter((unit) => unit.canSplit)
    .toSorted((a, b) => source.usOf(b) - source.usOf(a) || (a.key < b.key ? -1 : 1));
  for (const unit of splittable.slice(0, UNITS_TRIED_MAX)) {
    for (const target of targets.slice(0, TARGETS_TRIED_MAX)) {
      if (target.costUs >= limitUs) break;
      consider(splitByRows(unit, slowest, target, source));
      consider(splitByColumns(unit, slowest, target, source));
    }
  }
  return best;
}

function splitByRows(
  unit: CostUnit,
  slowest: ShardSums,
  target: ShardSums,
  source: UnitSource,
): Move | undefined {
  const [range] = unit.parts as readonly [CellRange];
  if (range.cellTo - range.cellFrom < 2) return undefined;
  const moveAt = (cell: number): Move =>
    splitMove(unit, splitRows(range, cell), slowest, target, source);
  // The more the slowest shard keeps, the more it costs and the less the other one does.
  const cell = cellWhere(range.cellFrom + 1, range.cellTo - 1, (candidate) => {
    const [kept, given] = splitRows(range, candidate);
    const rules = { canSplit: true };
    return (
      slowest.costWith(source.unitOf([kept], rules), unit) >=
      target.costWith(source.unitOf([given], rules))
    );
  });
  const here = moveAt(cell);
  if (cell === range.cellFrom + 1) return here;
  const before = moveAt(cell - 1);
  return before.slowestUs < here.slowestUs ? before : here;
}

function splitByColumns(
  unit: CostUnit,
  slowest: ShardSums,
  target: ShardSums,
  source: UnitSource,
): Move | undefined {
  const [range] = unit.parts as readonly [CellRange];
  let best: Move | undefined;
  for (const column of columnCutsOf(range)) {
    const move = splitMove(unit, splitColumns(range, column), slowest, target, source);
    if (best === undefined || move.slowestUs < best.slowestUs) best = move;
  }
  return best;
}

function splitMove(
  unit: CostUnit,
  [keptRange, givenRange]: readonly [CellRange, CellRange],
  slowest: ShardSums,
  target: ShardSums,
  source: UnitSource,
): Move {
  const kept = source.unitOf([keptRange], { canSplit: true });
  const given = source.unitOf([givenRange], { canSplit: true });
  const slowestUs = Math.max(slowest.costWith(kept, unit), target.costWith(given));
  // At the price of pooled memory narrower rows look cheap to keep. With the memory there is, each
  // part reads as many blocks as the whole did.
  const isByColumns = keptRange.columnEnd !== givenRange.columnEnd;
  const extraUs = isByColumns && source.pricing.isPooled ? source.blocksUsOf(unit) : 0;
  return {
    slowestUs: slowestUs + extraUs,
    changes: [
      { shard: slowest, removed: [unit], added: [kept] },
      { shard: target, removed: [], added: [given] },
    ],
  };
}
