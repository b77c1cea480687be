import { rowBytesOf } from "../../lib/model/dtype.js";
import type { ModelTable } from "../../lib/model/manifest.js";
import type { RangeAccess, RowMissPoint } from "./access-profile.js";
import { type CostCoefficients, rowHitNsOf } from "./cost-model.js";
import { blocksMissedAt, convexHull, type MissCurve } from "./miss-curve.js";
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

function missCurveOf(
  access: RangeAccess,
  rowBytes: number,
  readsPerQuery: number,
  blockBytes: number,
): MissCurve {
  const rowCount = access.rowEnd - access.rowStart;
  const rowsABlock = Math.max(1, Math.floor(blockBytes / rowBytes));
  const points = curvesOf(access)
    .flat()
    .filter((point) => point.rows <= rowCount)
    .map(({ rows, missRatio }) => ({
      bytes: Math.ceil(rows) * rowBytes,
      blocks: blocksOf(readsPerQuery * missRatio, (rowCount - rows) / rowsABlock),
    }));
  return convexHull([...points, { bytes: rowCount * rowBytes, blocks: 0 }]);
}

/** Misses of one query that fall into one block read it once. */
function blocksOf(missedReads: number, blocksOnDisk: number): number {
  if (blocksOnDisk <= 0) return 0;
  return blocksOnDisk * -Math.expm1(-missedReads / blocksOnDisk);
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
