import { rowBytesOf } from "../../lib/model/dtype.js";
import type { ModelTable } from "../../lib/model/manifest.js";
import type { RangeAccess, RowMissPoint } from "./access-profile.js";
import { type CostCoefficients, rowHitNsOf } from "./cost-model.js";
import { blocksMissedAt, convexHull, type MissCurve, type MissPoint } from "./miss-curve.js";
import type { TableDemand } from "./table-demand.js";

/** A partition before it has a shard, with what it costs one in a mean query. */
export interface PartitionDraft {
  readonly table: ModelTable;
  readonly rowStart: number;
  readonly rowEnd: number;
  readonly columnStart: number;
  readonly columnEnd: number;
  /** Bytes of one row of it. */
  readonly rowBytes: number;
  /** Row bytes of all of it. */
  readonly bytes: number;
  readonly readsPerQuery: number;
  /** Microseconds with every row in memory: segments, bags, rows found and pooled, answer. */
  readonly memoryUs: number;
  /** Of `memoryUs`, what a further partition of the same rows would cost again. */
  readonly overheadUs: number;
  /** Of `overheadUs`, the answer's bytes; the rest is segments and bags. */
  readonly answerUs: number;
  /** Whether its curves come from measured reads. */
  readonly isMeasured: boolean;
  readonly access: RangeAccess;
  readonly missCurve: MissCurve;
}

export interface ColumnRange {
  readonly columnStart: number;
  readonly columnEnd: number;
}

/** Works out what a range of rows and columns of a table costs the shard that gets it. */
export function draftPartition(
  demand: TableDemand,
  access: RangeAccess,
  columns: ColumnRange,
  coefficients: CostCoefficients,
): PartitionDraft {
  const { table, featureCount, querySamples } = demand;
  const columnCount = columns.columnEnd - columns.columnStart;
  const rowBytes = rowBytesOf(table.dtype, columnCount);
  const bytes = rowBytes * (access.rowEnd - access.rowStart);
  const readsPerQuery = demand.readsPerQuery * access.readShare;
  const bags = featureCount * querySamples;
  const answerBytes = bags * columnCount * Float32Array.BYTES_PER_ELEMENT;
  const answerUs = (answerBytes * coefficients.answerByteNs) / 1000;
  const overheadUs =
    featureCount * coefficients.segmentUs + (bags * coefficients.bagNs) / 1000 + answerUs;
  const poolUs = (readsPerQuery * rowHitNsOf(coefficients, table.dtype, columnCount)) / 1000;
  return {
    table,
    rowStart: access.rowStart,
    rowEnd: access.rowEnd,
    ...columns,
    rowBytes,
    bytes,
    readsPerQuery,
    memoryUs: overheadUs + poolUs,
    overheadUs,
    answerUs,
    isMeasured: demand.profile.isMeasured,
    access,
    missCurve: missCurveOf(access, rowBytes, readsPerQuery, coefficients.blockBytes),
  };
}

/** Microseconds a mean query costs the calibrated machine for this partition with so much cache. */
export function costUsOf(
  draft: PartitionDraft,
  cacheBytes: number,
  coefficients: CostCoefficients,
): number {
  return draft.memoryUs + blocksMissedAt(draft.missCurve, cacheBytes) * coefficients.blockMissUs;
}

/** Share of row reads found in memory with so much cache, on the better of the two curves. */
export function hitRatioOf(draft: PartitionDraft, cacheBytes: number): number {
  const rows = cacheBytes / draft.rowBytes;
  return 1 - Math.min(...curvesOf(draft.access).map((points) => missRatioAt(points, rows)));
}

/**
 * Blocks read by bytes of cache. With the hottest rows in memory, rows about as hot as each other lie
 * in one block, as a store lays them out: a block is read unless none of its rows is wanted, so `m`
 * reads of a row read `(1 - exp(-b m)) / b` blocks, `b` rows a block. Sums of that over rows are the
 * same however a table is cut. Where an LRU cache was measured to miss less, its curve counts; its
 * misses fall on blocks at random.
 */
function missCurveOf(
  access: RangeAccess,
  rowBytes: number,
  readsPerQuery: number,
  blockBytes: number,
): MissCurve {
  const rowsABlock = Math.max(1, Math.floor(blockBytes / rowBytes));
  const points = pinnedPoints(access, rowBytes, readsPerQuery, rowsABlock);
  if (access.lruMisses.length === 0) return convexHull(points);
  const rowCount = access.rowEnd - access.rowStart;
  const lru = access.lruMisses
    .filter((point) => point.rows <= rowCount)
    .map(({ rows, missRatio }) => {
      const blocksOnDisk = (rowCount - rows) / rowsABlock;
      const missed = readsPerQuery * missRatio;
      return {
        bytes: Math.ceil(rows) * rowBytes,
        blocks: blocksOnDisk <= 0 ? 0 : blocksOnDisk * -Math.expm1(-missed / blocksOnDisk),
      };
    });
  return convexHull([...points, ...lru]);
}

function pinnedPoints(
  { pinnedMisses }: RangeAccess,
  rowBytes: number,
  readsPerQuery: number,
  rowsABlock: number,
): MissPoint[] {
  const points: MissPoint[] = [];
  let blocks = 0;
  for (let i = pinnedMisses.length - 1; i >= 0; i--) {
    const { rows, missRatio } = pinnedMisses[i]!;
    points.push({ bytes: Math.ceil(rows) * rowBytes, blocks });
    if (i === 0) break;
    const before = pinnedMisses[i - 1]!;
    const bandRows = rows - before.rows;
    const readsARow = ((before.missRatio - missRatio) * readsPerQuery) / bandRows;
    blocks += (bandRows / rowsABlock) * -Math.expm1(-rowsABlock * Math.max(0, readsARow));
  }
  return points;
}

function curvesOf(access: RangeAccess): (readonly RowMissPoint[])[] {
  return access.lruMisses.length === 0
    ? [access.pinnedMisses]
    : [access.pinnedMisses, access.lruMisses];
}

function missRatioAt(points: readonly RowMissPoint[], rows: number): number {
  const after = points.findIndex((point) => point.rows >= rows);
  const b = after === -1 ? points.at(-1)! : points[after]!;
  // An LRU curve starts at its first measured size; below it lies a straight line from "all missed".
  const a = after > 0 ? points[after - 1]! : { rows: 0, missRatio: 1 };
  if (after === -1 || b.rows === a.rows) return b.missRatio;
  return a.missRatio + ((b.missRatio - a.missRatio) * (rows - a.rows)) / (b.rows - a.rows);
}
