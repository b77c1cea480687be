import { rowBytesOf } from "../../lib/model/dtype.js";
import type { ModelTable } from "../../lib/model/manifest.js";
import { rowsPerBlockOf } from "../../lib/model/rows-per-block.js";
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
  /** Rows that a block of its store holds: memory holds whole blocks. */
  readonly rowsPerBlock: number;
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
  const rowsPerBlock = rowsPerBlockOf(rowBytes, coefficients.blockBytes);
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
    missCurve: missCurveOf(access, rowBytes, readsPerQuery, rowsPerBlock),
    rowsPerBlock,
  };
}

/** Blocks that a mean query reads from disk with so much cache. */
export function blocksOf(draft: PartitionDraft, cacheBytes: number): number {
  return blocksMissedAt(draft.missCurve, wholeBlocksOf(draft, cacheBytes));
}

/** Share of row reads found in memory with so much cache. */
export function hitRatioOf(draft: PartitionDraft, cacheBytes: number): number {
  const rows = wholeBlocksOf(draft, cacheBytes) / draft.rowBytes;
  return 1 - missRatioAt(draft.access.pinnedMisses, rows);
}

/** Of so many bytes of cache, what whole blocks fill: a slot of a shard's memory holds one block. */
export function wholeBlocksOf(draft: PartitionDraft, cacheBytes: number): number {
  if (cacheBytes >= draft.bytes) return draft.bytes;
  const blockBytes = draft.rowsPerBlock * draft.rowBytes;
  return Math.floor(cacheBytes / blockBytes + 1e-9) * blockBytes;
}

/**
 * Blocks read by bytes of cache, the hottest rows being in memory. Rows about as hot as each other lie in one
 * block, as a store lays them out: a block is read unless none of its rows is wanted, so `m` reads of
 * a row read `(1 - exp(-b m)) / b` blocks, `b` rows a block. Sums of that over rows are the same however a
 * table is cut.
 */
function missCurveOf(
  { pinnedMisses }: RangeAccess,
  rowBytes: number,
  readsPerQuery: number,
  rowsPerBlock: number,
): MissCurve {
  const blockBytes = rowsPerBlock * rowBytes;
  const bytes = pinnedMisses.at(-1)!.rows * rowBytes;
  const points: MissPoint[] = [];
  let blocks = 0;
  for (let i = pinnedMisses.length - 1; i >= 0; i--) {
    const { rows, missRatio } = pinnedMisses[i]!;
    points.push({ bytes: Math.min(bytes, Math.ceil(rows / rowsPerBlock) * blockBytes), blocks });
    if (i === 0) break;
    const before = pinnedMisses[i - 1]!;
    const bandRows = rows - before.rows;
    const readsARow = ((before.missRatio - missRatio) * readsPerQuery) / bandRows;
    blocks += (bandRows / rowsPerBlock) * -Math.expm1(-rowsPerBlock * Math.max(0, readsARow));
  }
  return convexHull(points);
}

function missRatioAt(points: readonly RowMissPoint[], rows: number): number {
  const after = points.findIndex((point) => point.rows >= rows);
  const b = after === -1 ? points.at(-1)! : points[after]!;
  const a = after > 0 ? points[after - 1]! : b;
  if (b.rows === a.rows) return b.missRatio;
  return a.missRatio + ((b.missRatio - a.missRatio) * (rows - a.rows)) / (b.rows - a.rows);
}
