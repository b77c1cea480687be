/** What a cache of some bytes misses. */
export interface MissPoint {
  readonly bytes: number;
  /** Blocks read from disk in a mean query. */
  readonly blocks: number;
}

/**
 * Blocks read in a mean query by bytes of cache: falling and convex, so that the next byte never
 * helps more than the one before and memory can be shared out by slope alone.
 */
export type MissCurve = readonly MissPoint[];

/**
 * The lower convex hull of measured points. An LRU cache with a cliff in its curve does worse than
 * the hull on the cliff; sharing by the hull puts allocations at its corners, which were measured
 * (Beckmann and Sanchez, "Talus", HPCA 2015).
 */
export function convexHull(points: readonly MissPoint[]): MissCurve {
  const sorted = points.toSorted((a, b) => a.bytes - b.bytes || a.blocks - b.blocks);
  const hull: MissPoint[] = [];
  for (const point of sorted) {
    const last = hull.at(-1);
    // Memory never hurts: a sampled curve that rises is noise.
    if (last !== undefined && (point.bytes === last.bytes || point.blocks >= last.blocks)) continue;
    while (hull.length >= 2 && !turnsUp(hull[hull.length - 2]!, hull[hull.length - 1]!, point)) {
      hull.pop();
    }
    hull.push(point);
  }
  return hull;
}

/** Blocks read in a mean query with `bytes` of cache. */
export function blocksMissedAt(curve: MissCurve, bytes: number): number {
  let low = 0;
  let high = curve.length - 1;
  const last = curve[high];
  if (last === undefined) return 0;
  if (bytes >= last.bytes) return last.blocks;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (curve[middle]!.bytes <= bytes) low = middle;
    else high = middle;
  }
  const a = curve[low]!;
  const b = curve[high]!;
  if (b.bytes === a.bytes) return a.blocks;
  const along = Math.max(0, bytes - a.bytes) / (b.bytes - a.bytes);
  return a.blocks + (b.blocks - a.blocks) * along;
}

function turnsUp(a: MissPoint, b: MissPoint, c: MissPoint): boolean {
  return (b.bytes - a.bytes) * (c.blocks - a.blocks) > (b.blocks - a.blocks) * (c.bytes - a.bytes);
}
