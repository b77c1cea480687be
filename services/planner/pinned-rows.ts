import type { PartitionDraft } from "./partition-draft.js";

/** Rows are pinned when they are read this many times as often as those at the edge of the cache. */
const HEAT_OVER_EDGE = 2;

/** Of a cache, what may be pinned: the rest follows what the statistics did not foresee. */
const PINNED_SHARE_MAX = 0.75;

/**
 * How many of a partition's hottest rows never leave memory: those so much hotter than what the cache
 * has to turn away that no burst of cold reads should push them out. None where everything is in
 * memory anyway, or where nobody counted.
 */
export function pinnedRowsOf(draft: PartitionDraft, cacheBytes: number): number {
  if (!draft.isMeasured || cacheBytes >= draft.bytes) return 0;
  const rows = cacheBytes / draft.rowBytes;
  const points = draft.access.pinnedMisses;
  const heatOf = (i: number): number =>
    (points[i - 1]!.missRatio - points[i]!.missRatio) / (points[i]!.rows - points[i - 1]!.rows);
  const edge = points.findIndex((point) => point.rows >= rows);
  if (edge < 1) return 0;
  const edgeHeat = heatOf(edge);
  let pinned = 0;
  for (let i = 1; i < edge && heatOf(i) >= HEAT_OVER_EDGE * edgeHeat; i++) pinned = points[i]!.rows;
  return Math.floor(Math.min(pinned, rows * PINNED_SHARE_MAX));
}
