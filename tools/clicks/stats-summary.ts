import { rowBytesOf } from "../../lib/model/dtype.js";
import type { ModelManifest } from "../../lib/model/manifest.js";
import type { AccessStats, MissRatioPoint, TableStats } from "../../lib/stats/access-stats.js";
import type { AccessStatsFile } from "../../lib/stats/access-stats-file.js";
import { type HotRows, hotRowsFor } from "../../lib/stats/hot-rows.js";
import { composeCurves, missRatioAt, rowsForMissRatio } from "../../lib/stats/miss-ratio-curve.js";
import { REUSE_THRESHOLDS, type ReuseHistogram } from "../../lib/stats/reuse-histogram.js";

/** Hit ratios that cache sizes are given for. */
export const HIT_RATIOS = [0.5, 0.8, 0.9, 0.95] as const;

/** Cache sizes, as shares of the rows that were read, that LRU hit ratios are given for. */
export const CACHE_SHARES = [0.01, 0.05, 0.1, 0.2, 0.5] as const;

/** Memory that gives a hit ratio over all tables. */
export interface CacheNeed {
  readonly hitRatio: number;
  /** Hottest rows kept in memory; null when the listed rows have too few reads. */
  readonly hottest: HotRows | null;
  /** Rows of one LRU cache over all tables that starts empty; null when first reads alone miss more. */
  readonly lruRowCount: number | null;
  /** The same share of the rows that were read, as if all were read alike. */
  readonly evenRows: HotRows;
}

/** What access statistics say, over all tables. */
export interface StatsSummary {
  readonly readCount: number;
  readonly distinctRowCount: number;
  readonly reuse: ReuseHistogram;
  readonly cacheNeeds: readonly CacheNeed[];
  /** Hit ratio of LRU caches, each table with the same share of its own rows; weighted by reads. */
  readonly lruHitRatios: readonly { readonly cacheShare: number; readonly hitRatio: number }[];
  /** Share of reads that are a row's first: no cache that starts empty hits them. */
  readonly firstReadShare: number;
}

/** @param manifest Says how many bytes a row takes; without it every row takes one. */
export function summariseStats(
  { header, countsOf }: AccessStatsFile,
  manifest: ModelManifest | undefined,
): StatsSummary {
  const readTables = header.tables.filter((table) => table.readCount > 0);
  const readCount = sumOf(readTables, (table) => table.readCount);
  const distinctRowCount = sumOf(readTables, (table) => table.distinctRowCount);
  const sized = readTables.map(({ table }) => ({
    counts: countsOf(table),
    rowBytes: rowBytesIn(manifest, table),
  }));
  const evenBytes = readTables.reduce(
    (sum, { distinctRowCount: rows }, t) => sum + rows * sized[t]!.rowBytes,
    0,
  );
  const lruCurve = sharedLruCurve(readTables);
  return {
    readCount,
    distinctRowCount,
    reuse: reuseOf(header, readCount, distinctRowCount),
    cacheNeeds: HIT_RATIOS.map((hitRatio) => ({
      hitRatio,
      hottest: hotRowsFor(sized, readCount, hitRatio),
      lruRowCount: rowsForMissRatio(lruCurve, 1 - hitRatio),
      evenRows: { rowCount: distinctRowCount * hitRatio, bytes: evenBytes * hitRatio },
    })),
    lruHitRatios: lruCurve.length === 0 ? [] : lruHitRatiosOf(readTables, readCount),
    firstReadShare: readCount === 0 ? 0 : distinctRowCount / readCount,
  };
}

/** Reuse bins over all tables; a bin that one table leaves out is left out. */
function reuseOf(
  { tables }: AccessStats,
  readCount: number,
  touchedRowCount: number,
): ReuseHistogram {
  const read = tables.filter((table) => table.readCount > 0);
  const bins = REUSE_THRESHOLDS.flatMap((above) => {
    const own = read.flatMap((table) => table.reuse.filter((bin) => bin.above === above));
    if (own.length < read.length) return [];
    return [
      {
        above,
        rowShare: sumOf(own, (bin) => bin.rowCount) / Math.max(1, touchedRowCount),
        readShare: sumOf(own, (bin) => bin.readCount) / Math.max(1, readCount),
      },
    ];
  });
  const meanReuse = touchedRowCount === 0 ? 0 : readCount / touchedRowCount;
  return { touchedRowCount, readCount, meanReuse, bins };
}

/** One LRU cache over all tables, whose rows are all different. */
function sharedLruCurve(tables: readonly TableStats[]): MissRatioPoint[] {
  if (tables.some((table) => table.missRatioCurve.length === 0)) return [];
  return composeCurves(
    tables.map(({ missRatioCurve: curve, readCount }) => ({ curve, readCount })),
  );
}

function lruHitRatiosOf(
  tables: readonly TableStats[],
  readCount: number,
): StatsSummary["lruHitRatios"] {
  return CACHE_SHARES.map((cacheShare) => ({
    cacheShare,
    hitRatio:
      1 -
      sumOf(
        tables,
        (table) =>
          table.readCount * missRatioAt(table.missRatioCurve, table.distinctRowCount * cacheShare),
      ) /
        readCount,
  }));
}

function rowBytesIn(manifest: ModelManifest | undefined, name: string): number {
  const table = manifest?.tables.find((entry) => entry.name === name);
  return table === undefined ? 1 : rowBytesOf(table.dtype, table.embeddingDim);
}

function sumOf<T>(values: readonly T[], numberOf: (value: T) => number): number {
  return values.reduce((sum, value) => sum + numberOf(value), 0);
}
