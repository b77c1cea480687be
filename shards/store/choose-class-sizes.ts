import { nextCurveRows } from "../../lib/stats/row-counts.js";
import { CLASS_COUNT_MAX } from "./row-classes.js";

/** A partition's rows by how often they are read. */
export interface RowReads {
  /** Reads of the listed rows, falling. */
  readonly counts: Uint32Array;
  /** All rows of the partition, listed or not. */
  readonly rowCount: number;
  /** Reads of all rows that are not listed, taken for equal among them. */
  readonly tailReads: number;
}

/** A point of the curve of reads over rows, heaviest rows first. */
interface CurvePoint {
  readonly rows: number;
  /** Reads of the heaviest `rows` rows. */
  readonly reads: number;
  /** How much of the axis of sizes it stands for, in octaves. */
  readonly weight: number;
}

/**
 * How many of the heaviest rows each class gets, at most 8 classes, so that a cache of the first
 * blocks serves nearly what one of the heaviest rows would.
 *
 * Within a class any row is as good as another, so classes make of the curve of reads over rows one
 * of straight pieces below it. The cuts chosen lose the least area between the two, over the
 * logarithm of the size, as a cache of 1 % is no less likely than one of 10 %. Found by dynamic
 * programming over the points of the curve.
 *
 * @returns Sizes, heaviest class first; a single one when there is nothing to tell rows apart by.
 */
export function chooseClassSizes(reads: RowReads, rowsPerBlock: number): number[] {
  const points = curveOf(reads, rowsPerBlock);
  const loss = points.map((from, a) =>
    points.map((to, b) => (b > a ? lossBetween(points, a, b, from, to) : 0)),
  );
  const last = points.length - 1;
  let best: number[] = points.map((_, to) => loss[0]![to]!);
  const cutBefore: number[][] = [];
  for (let classCount = 2; classCount <= CLASS_COUNT_MAX; classCount++) {
    const cuts = points.map((_, to) => bestCut(best, loss, to));
    cutBefore.push(cuts);
    best = cuts.map((cut, to) => best[cut]! + loss[cut]![to]!);
  }
  return sizesOf(points, cutBefore, last);
}

/** The cut before `to` that loses least; `to` itself, which loses nothing more, stands for none. */
function bestCut(best: readonly number[], loss: readonly number[][], to: number): number {
  let cut = to;
  for (let from = 1; from < to; from++) {
    if (best[from]! + loss[from]![to]! < best[cut]! + loss[cut]![to]!) cut = from;
  }
  return cut;
}

function sizesOf(points: readonly CurvePoint[], cutBefore: number[][], last: number): number[] {
  const sizes: number[] = [];
  let to = last;
  for (const cuts of cutBefore.toReversed()) {
    const cut = cuts[to]!;
    if (cut === to) continue;
    sizes.push(points[to]!.rows - points[cut]!.rows);
    to = cut;
  }
  sizes.push(points[to]!.rows);
  return sizes.toReversed();
}

/** Points a quarter of an octave apart, none closer than a block; the first is at 0 rows. */
function curveOf({ counts, rowCount, tailReads }: RowReads, rowsPerBlock: number): CurvePoint[] {
  const sizes: number[] = [];
  for (let rows = rowsPerBlock; rows < counts.length; rows = nextSize(rows, rowsPerBlock)) {
    sizes.push(rows);
  }
  if (counts.length > 0 && counts.length < rowCount) sizes.push(counts.length);
  sizes.push(rowCount);
  let read = 0;
  let at = 0;
  const curve = sizes.map((rows) => {
    for (; at < Math.min(rows, counts.length); at++) read += counts[at]!;
    return { rows, reads: rows > counts.length ? read + tailReads : read };
  });
  return [
    { rows: 0, reads: 0, weight: 0 },
    ...curve.map(({ rows, reads }, i) => {
      const before = curve[i - 1]?.rows ?? rows / 2;
      const after = curve[i + 1]?.rows ?? rows;
      return { rows, reads, weight: Math.log2(after / before) / 2 };
    }),
  ];
}

function nextSize(rows: number, rowsPerBlock: number): number {
  return Math.max(rows + rowsPerBlock, nextCurveRows(rows));
}

/** Area between the curve and the straight line from point `a` to point `b`. */
function lossBetween(
  points: readonly CurvePoint[],
  a: number,
  b: number,
  from: CurvePoint,
  to: CurvePoint,
): number {
  const slope = (to.reads - from.reads) / (to.rows - from.rows);
  let area = 0;
  for (let i = a + 1; i < b; i++) {
    const { rows, reads, weight } = points[i]!;
    area += (reads - from.reads - slope * (rows - from.rows)) * weight;
  }
  return area;
}
