import { ShardpoolError } from "../errors.js";
import type {
  AccessStats,
  AccessStatsDraft,
  BagLengthBin,
  FeatureStats,
  TableStats,
} from "./access-stats.js";
import type { AccessStatsFile } from "./access-stats-file.js";
import { mergeCoAccess } from "./merge-co-access.js";
import { composeCurves, meanCurve } from "./miss-ratio-curve.js";
import { RowCountTable } from "./row-count-table.js";
import { type RowCounts, readsOf, reuseBinsOf, staticMissRatioCurveOf } from "./row-counts.js";

/**
 * What the parts are to one another: `periods` are logs of different samples, `shards` counted the
 * same samples, each the rows it holds.
 */
export const STATS_PARTS = ["periods", "shards"] as const;
export type StatsParts = (typeof STATS_PARTS)[number];

/** Merged statistics, ready to be written. */
export interface MergedStats {
  readonly draft: AccessStatsDraft;
  readonly countsByTable: ReadonlyMap<string, RowCounts>;
}

type StatsPart = Pick<AccessStatsFile, "header" | "countsOf">;

/** More sources than this are named by their number. */
const NAMED_SOURCES_MAX = 4;

/**
 * Adds up statistics of one model. Counts and bags add exactly; what was sketched adds its errors:
 * `countErrorMax` is the sum over the parts of the larger of a part's own error and the reads that
 * one of its unlisted rows may have. Distinct rows are exact when every part lists all its rows, else
 * the middle of what is possible, with its error.
 *
 * LRU curves of `periods` are averaged by reads, with the parts' mean error plus the share of first
 * reads of rows that an earlier part read too. Those of `shards` are composed as one cache of rows
 * that no two parts share, with the parts' mean error. Samples and queries add over `periods`; over
 * `shards` the largest counts, and what queries read together is not known.
 *
 * @throws ShardpoolError STATS_INVALID when the parts are of different models or there are none;
 * LIMIT_EXCEEDED when a row's reads pass 2^32 - 1.
 */
export function mergeAccessStats(parts: readonly StatsPart[], kind: StatsParts): MergedStats {
  const first = parts[0]?.header;
  if (first === undefined) {
    throw new ShardpoolError("STATS_INVALID", "there are no statistics to merge");
  }
  for (const { header } of parts) assertSameModel(first, header);
  const headers = parts.map((part) => part.header);
  const merged = namesOf(headers.map(({ tables }) => tables.map(({ table }) => table))).map(
    (table) => mergeTable(parts, table, kind),
  );
  const total = kind === "periods" ? sumOf : maxOf;
  const sampleCount = total(headers.map((header) => header.sampleCount));
  const featureNames = namesOf(
    headers.map(({ features }) => features.map(({ feature }) => feature)),
  );
  return {
    draft: {
      model: first.model,
      source: sourceOf(headers),
      sampleCount,
      queryCount: total(headers.map((header) => header.queryCount)),
      tables: merged.map(({ stats }) => stats),
      features: featureNames.map((feature) => mergeFeature(headers, feature, sampleCount)),
      coAccess: kind === "periods" ? mergeCoAccess(headers) : null,
    },
    countsByTable: new Map(merged.map(({ stats, counts }) => [stats.table, counts])),
  };
}

function assertSameModel({ model }: AccessStats, other: AccessStats): void {
  if (model.hash === other.model.hash) return;
  const nameOf = ({ name, version, hash }: AccessStats["model"]): string =>
    `${name} version ${version}, hash ${hash.slice(0, 12)}`;
  throw new ShardpoolError(
    "STATS_INVALID",
    `statistics of different models cannot be merged: ${nameOf(model)}; ${nameOf(other.model)}`,
  );
}

function mergeTable(
  parts: readonly StatsPart[],
  table: string,
  kind: StatsParts,
): { stats: TableStats; counts: RowCounts } {
  const own = parts.flatMap((part) => {
    const stats = part.header.tables.find((entry) => entry.table === table);
    return stats === undefined ? [] : [{ stats, counts: part.countsOf(table) }];
  });
  const all = own.map(({ stats }) => stats);
  const counts = addCounts(own.map((part) => part.counts));
  const readCount = sumOf(all.map((stats) => stats.readCount));
  const distinct = distinctRowsOf(all, counts.rowIds.length);
  const unlistedCountMax = sumOf(all.map(unlistedCountMaxOf));
  const tailReadCount = readCount - readsOf(counts);
  const tailRows = Math.max(0, distinct.rowCount - counts.rowIds.length);
  return {
    counts,
    stats: {
      table,
      readCount,
      distinctRowCount: distinct.rowCount,
      distinctRowError: distinct.error,
      listedRowCount: counts.rowIds.length,
      tailReadCount,
      countErrorMax: countErrorOf(all),
      unlistedCountMax,
      queryCount: queryCountOf(all, kind),
      reuse: reuseBinsOf(counts, unlistedCountMax),
      ...mergeCurves(all, distinct.rowCountMin, kind),
      staticMissRatioCurve: staticMissRatioCurveOf(counts, tailRows, tailReadCount),
    },
  };
}

function addCounts(parts: readonly RowCounts[]): RowCounts {
  if (parts.length === 1 && parts[0] !== undefined) return parts[0];
  const sums = new RowCountTable(Number.POSITIVE_INFINITY);
  for (const { rowIds, counts } of parts) {
    for (let i = 0; i < rowIds.length; i++) sums.add(rowIds[i]!, counts[i]!);
  }
  return sums.toRowCounts();
}

/** Where nobody said how often an unlisted row was read, all reads of the tail bound it. */
function unlistedCountMaxOf({ unlistedCountMax, tailReadCount }: TableStats): number {
  return unlistedCountMax ?? tailReadCount;
}

function countErrorOf(parts: readonly TableStats[]): number {
  const only = parts.length === 1 ? parts[0] : undefined;
  if (only !== undefined) return only.countErrorMax;
  return sumOf(parts.map((part) => Math.max(part.countErrorMax, unlistedCountMaxOf(part))));
}

function distinctRowsOf(
  parts: readonly TableStats[],
  listedRowCount: number,
): { rowCount: number; rowCountMin: number; error: number } {
  const only = parts.length === 1 ? parts[0] : undefined;
  if (only !== undefined) {
    const { distinctRowCount: rowCount, distinctRowError: error } = only;
    return { rowCount, rowCountMin: rowCount, error };
  }
  if (parts.every((part) => part.listedRowCount === part.distinctRowCount)) {
    return { rowCount: listedRowCount, rowCountMin: listedRowCount, error: 0 };
  }
  const rowCountMin = Math.max(listedRowCount, ...parts.map((part) => part.distinctRowCount));
  const most = Math.max(rowCountMin, sumOf(parts.map((part) => part.distinctRowCount)));
  const rowCount = Math.round((rowCountMin + most) / 2);
  const error = (most - rowCountMin) / (2 * rowCount);
  return {
    rowCount,
    rowCountMin,
    error: error + Math.max(...parts.map((part) => part.distinctRowError)),
  };
}

function queryCountOf(parts: readonly TableStats[], kind: StatsParts): number | null {
  const known = parts.flatMap(({ queryCount }) => (queryCount === null ? [] : [queryCount]));
  if (known.length < parts.length) return null;
  return kind === "periods" || known.length === 1 ? sumOf(known) : null;
}

function mergeCurves(
  parts: readonly TableStats[],
  distinctRowCountMin: number,
  kind: StatsParts,
): Pick<TableStats, "missRatioCurve" | "missRatioError" | "missRatioMethod"> {
  const read = parts.filter((part) => part.readCount > 0);
  const only = read.length === 1 ? read[0] : undefined;
  if (only !== undefined) {
    const { missRatioCurve, missRatioError, missRatioMethod } = only;
    return { missRatioCurve, missRatioError, missRatioMethod };
  }
  if (read.length === 0 || read.some((part) => part.missRatioCurve.length === 0)) {
    return { missRatioCurve: [], missRatioError: null, missRatioMethod: "none" };
  }
  const curves = read.map(({ missRatioCurve: curve, readCount }) => ({ curve, readCount }));
  const readCount = sumOf(read.map((part) => part.readCount));
  const meanError = read.some((part) => part.missRatioError === null)
    ? null
    : sumOf(read.map((part) => (part.missRatioError ?? 0) * part.readCount)) / readCount;
  // These rows' first reads in a later part may be hits in one cache over all parts.
  const rereadRows = sumOf(read.map((part) => part.distinctRowCount)) - distinctRowCountMin;
  const seam = kind === "periods" ? rereadRows / readCount : 0;
  return {
    missRatioCurve: kind === "periods" ? meanCurve(curves) : composeCurves(curves),
    missRatioError: meanError === null ? null : Math.min(1, meanError + seam),
    missRatioMethod: "merged",
  };
}

function mergeFeature(
  headers: readonly AccessStats[],
  feature: string,
  sampleCount: number,
): FeatureStats {
  const own = headers.flatMap(({ features }) =>
    features.filter((entry) => entry.feature === feature),
  );
  const readCount = sumOf(own.map((entry) => entry.readCount));
  return {
    feature,
    table: own[0]!.table,
    readCount,
    poolingFactor: readCount / Math.max(1, sampleCount),
    bagLengthMax: maxOf(own.map((entry) => entry.bagLengthMax)),
    emptyBagCount: sumOf(own.map((entry) => entry.emptyBagCount)),
    bagLengths: addBins(own.flatMap((entry) => entry.bagLengths)),
  };
}

function addBins(bins: readonly BagLengthBin[]): BagLengthBin[] {
  const sums = new Map<string, BagLengthBin>();
  for (const bin of bins) {
    const key = `${bin.lengthMin}-${bin.lengthMax}`;
    const bagCount = (sums.get(key)?.bagCount ?? 0) + bin.bagCount;
    sums.set(key, { ...bin, bagCount });
  }
  return [...sums.values()].sort((a, b) => a.lengthMin - b.lengthMin);
}

function sourceOf(headers: readonly AccessStats[]): string {
  const sources = headers.map((header) => header.source);
  if (sources.length <= NAMED_SOURCES_MAX) return sources.join(" + ");
  const rest = sources.length - NAMED_SOURCES_MAX;
  return `${sources.slice(0, NAMED_SOURCES_MAX).join(" + ")} + ${rest} more`;
}

/** Names in the order in which they are first seen. */
function namesOf(lists: readonly (readonly string[])[]): string[] {
  return [...new Set(lists.flat())];
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function maxOf(values: readonly number[]): number {
  return values.reduce((max, value) => Math.max(max, value), 0);
}
