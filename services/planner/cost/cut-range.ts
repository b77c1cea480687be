import { COLUMN_SPLIT_MULTIPLE } from "../../../lib/plan/plan.js";
import type { CellRange, CostUnit, UnitSource } from "./cost-units.js";

/** How a unit that may be split is worked out again. */
const SPLITTABLE = { canSplit: true } as const;

/** Where a range may be split between columns, rising. */
export function columnCutsOf({ columnStart, columnEnd }: CellRange): number[] {
  const cuts: number[] = [];
  const first = (Math.floor(columnStart / COLUMN_SPLIT_MULTIPLE) + 1) * COLUMN_SPLIT_MULTIPLE;
  for (let cut = first; cut < columnEnd; cut += COLUMN_SPLIT_MULTIPLE) cuts.push(cut);
  return cuts;
}

export function splitRows(range: CellRange, cell: number): [CellRange, CellRange] {
  return [
    { ...range, cellTo: cell },
    { ...range, cellFrom: cell },
  ];
}

export function splitColumns(range: CellRange, column: number): [CellRange, CellRange] {
  return [
    { ...range, columnEnd: column },
    { ...range, columnStart: column },
  ];
}

/**
 * The cheaper way to cut a range into so many parts of about equal cost: by rows, by columns, or by
 * columns and then by rows.
 */
export function cutEvenly(source: UnitSource, range: CellRange, partCount: number): CostUnit[] {
  // With the same memory every column range reads as many blocks as the whole did.
  const blocksUs = source.blocksUsOf(source.unitOf([range], SPLITTABLE));
  const columnPartsMax = columnCutsOf(range).length + 1;
  let best: CostUnit[] | undefined;
  let bestUs = Number.POSITIVE_INFINITY;
  for (let columnParts = 1; columnParts <= Math.min(columnPartsMax, partCount); columnParts *= 2) {
    const rowParts = Math.ceil(partCount / columnParts);
    if (rowParts > range.cellTo - range.cellFrom) continue;
    const units = cutColumns(range, columnParts).flatMap((columns) =>
      cutRowsEvenly(source, columns, rowParts),
    );
    const us = units.reduce((sum, unit) => sum + unit.memoryUs, blocksUs * columnParts);
    if (us >= bestUs) continue;
    best = units;
    bestUs = us;
  }
  return best ?? cutRowsEvenly(source, range, range.cellTo - range.cellFrom);
}

function cutColumns(range: CellRange, partCount: number): CellRange[] {
  const cuts = columnCutsOf(range);
  const chosen = Array.from(
    { length: partCount - 1 },
    (_, i) => cuts[Math.round(((i + 1) * (cuts.length + 1)) / partCount) - 1]!,
  );
  const edges = [range.columnStart, ...chosen, range.columnEnd];
  return chosen.length === 0
    ? [range]
    : edges.slice(1).map((columnEnd, i) => ({ ...range, columnStart: edges[i]!, columnEnd }));
}

/** Cuts off one part after the other, each with an even share of what is left. */
function cutRowsEvenly(source: UnitSource, range: CellRange, partCount: number): CostUnit[] {
  const sharesOf = (part: CellRange): number => sharesSumOf(source, part);
  const parts: CellRange[] = [];
  let rest = range;
  for (let left = partCount; left > 1; left--) {
    const restUnit = source.unitOf([rest], SPLITTABLE);
    const overhead = restUnit.drafts[0]!.overheadUs / source.shardShare.us;
    const wanted = overhead + (sharesOf(rest) - overhead) / left;
    const most = rest.cellTo - (left - 1);
    const cell = cellWhere(rest.cellFrom + 1, most, (candidate) => {
      return sharesOf({ ...rest, cellTo: candidate }) >= wanted;
    });
    const [part, others] = splitRows(rest, cell);
    parts.push(part);
    rest = others;
  }
  parts.push(rest);
  return parts.map((part) => source.unitOf([part], SPLITTABLE));
}

/**
 * A range's share of a shard's time and of its memory, added: parts equal in that are at most twice as
 * full as others, whichever is scarce, where one end of a table is hot and the other large.
 */
function sharesSumOf(source: UnitSource, range: CellRange): number {
  const unit = source.unitOf([range], SPLITTABLE);
  return source.timeShareOf(unit) + source.memoryShareOf(unit);
}

/** The first cell of `[low, high]` for which it holds, or `high`; it holds for all behind it. */
export function cellWhere(low: number, high: number, holds: (cell: number) => boolean): number {
  let first = low;
  let last = high;
  while (first < last) {
    const middle = (first + last) >> 1;
    if (holds(middle)) last = middle;
    else first = middle + 1;
  }
  return first;
}
