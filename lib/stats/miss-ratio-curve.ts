import type { MissRatioPoint } from "./access-stats.js";
import { nextCurveRows } from "./row-counts.js";

/** A curve and how many reads it speaks for. */
export interface WeightedCurve {
  readonly curve: readonly MissRatioPoint[];
  readonly readCount: number;
}

/** How many steps a size is walked in while curves are composed: 2 % of it at a time. */
const STEPS_A_SIZE = 50;

/** Share of reads missed with `rows` of cache: a straight line between points, level beyond them. */
export function missRatioAt(curve: readonly MissRatioPoint[], rows: number): number {
  const first = curve[0];
  if (first === undefined) return 1;
  if (rows <= first.rows) {
    return first.rows === 0 ? first.missRatio : 1 - (1 - first.missRatio) * (rows / first.rows);
  }
  let low = 0;
  let high = curve.length - 1;
  if (rows >= curve[high]!.rows) return curve[high]!.missRatio;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (curve[middle]!.rows <= rows) low = middle;
    else high = middle;
  }
  const a = curve[low]!;
  const b = curve[high]!;
  return a.missRatio + ((b.missRatio - a.missRatio) * (rows - a.rows)) / (b.rows - a.rows);
}

/** The fewest rows of cache with which at most `missRatio` of the reads miss; null when none do. */
export function rowsForMissRatio(
  curve: readonly MissRatioPoint[],
  missRatio: number,
): number | null {
  const after = curve.findIndex((point) => point.missRatio <= missRatio);
  const b = curve[after];
  if (b === undefined) return null;
  const a = curve[after - 1] ?? { rows: 0, missRatio: 1 };
  if (a.missRatio === b.missRatio || a.missRatio <= missRatio) return b.rows;
  const along = (a.missRatio - missRatio) / (a.missRatio - b.missRatio);
  return Math.ceil(a.rows + (b.rows - a.rows) * along);
}

/**
 * One cache of the same size under several logs in turn: at each size, the mean of the curves by
 * their reads. Each log starts with an empty cache, so rows that several logs read count a first read
 * in each.
 */
export function meanCurve(parts: readonly WeightedCurve[]): MissRatioPoint[] {
  const used = parts.filter(({ curve, readCount }) => curve.length > 0 && readCount > 0);
  const sizes = new Set(used.flatMap(({ curve }) => curve.map((point) => point.rows)));
  const reads = used.reduce((sum, part) => sum + part.readCount, 0);
  return [...sizes]
    .sort((a, b) => a - b)
    .map((rows) => ({
      rows,
      missRatio:
        used.reduce((sum, part) => sum + part.readCount * missRatioAt(part.curve, rows), 0) / reads,
    }));
}

/**
 * One cache shared by parts of a table that have no row in common and are read at the same time. A
 * part's rows enter the cache as fast as it misses, so after a time t it has filled
 * `dc/dt = reads x missRatio(c)` rows of it, and a cache of the sum of these sizes misses what the
 * parts miss at theirs (the footprint theory of Xiang et al., "HOTL", ASPLOS 2013).
 */
export function composeCurves(parts: readonly WeightedCurve[]): MissRatioPoint[] {
  const used = parts.filter(({ curve, readCount }) => curve.length > 0 && readCount > 0);
  if (used.length <= 1) return [...(used[0]?.curve ?? [])];
  const reads = used.reduce((sum, part) => sum + part.readCount, 0);
  const sizes = used.map(() => 0);
  const missesOf = (): number[] =>
    used.map((part, i) => (part.readCount / reads) * missRatioAt(part.curve, sizes[i]!));
  const rowsMax = used.reduce((sum, { curve }) => sum + curve.at(-1)!.rows, 0);
  const points: MissRatioPoint[] = [];
  let total = 0;
  for (let rows = 0; ; rows = Math.min(rowsMax, nextCurveRows(rows))) {
    let misses = missesOf();
    while (total < rows) {
      const sum = misses.reduce((a, b) => a + b, 0);
      if (sum === 0) break;
      const step = Math.min(rows - total, Math.max(0.25, total / STEPS_A_SIZE));
      for (let i = 0; i < sizes.length; i++) sizes[i]! += (step * misses[i]!) / sum;
      total += step;
      misses = missesOf();
    }
    points.push({
      rows,
      missRatio: Math.min(
        1,
        misses.reduce((a, b) => a + b, 0),
      ),
    });
    const isFull = used.every(({ curve }, i) => sizes[i]! >= curve.at(-1)!.rows);
    if (rows >= rowsMax || isFull || total < rows) return points;
  }
}

/** Leaves out points that the straight line between their neighbours tells within `tolerance`. */
export function thinCurve(points: readonly MissRatioPoint[], tolerance: number): MissRatioPoint[] {
  const kept: MissRatioPoint[] = points.slice(0, 1);
  let from = 0;
  for (let to = 2; to < points.length; to++) {
    const line = [points[from]!, points[to]!];
    const isStraight = points
      .slice(from + 1, to)
      .every((point) => Math.abs(missRatioAt(line, point.rows) - point.missRatio) <= tolerance);
    if (isStraight) continue;
    from = to - 1;
    kept.push(points[from]!);
  }
  const last = points.at(-1);
  if (last !== undefined && points.length > 1) kept.push(last);
  return kept;
}
