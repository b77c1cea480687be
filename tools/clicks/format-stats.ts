import type { AccessStats, TableStats } from "../../lib/stats/access-stats.js";
import { missRatioAt, rowsForMissRatio } from "../../lib/stats/miss-ratio-curve.js";
import { formatBytes, formatCount, formatTable } from "../cli/table.js";
import { CACHE_SHARES, type StatsSummary } from "./stats-summary.js";

/** Tables, features and pairs shown; the rest is counted. */
const LINES_MAX = 40;
const PAIRS_SHOWN = 10;

/**
 * Access statistics for people: totals, tables, features, what queries read together.
 *
 * @param hasBytes Whether row bytes are known, else sizes are rows.
 */
export function formatStats(
  what: string,
  header: AccessStats,
  summary: StatsSummary,
  hasBytes: boolean,
): string {
  return [
    headOf(what, header, summary),
    reuseTable(summary),
    cacheTable(summary, hasBytes),
    lruLine(summary),
    tablesTable(header),
    featuresTable(header),
    coAccessText(header),
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

function headOf(what: string, header: AccessStats, summary: StatsSummary): string {
  const { model } = header;
  return (
    `${what}: ${formatCount(header.sampleCount)} samples, ${formatCount(header.queryCount)} queries, ` +
    `${formatCount(summary.readCount)} reads of ${formatCount(summary.distinctRowCount)} rows, ` +
    `${summary.reuse.meanReuse.toFixed(2)} reads a touched row\n` +
    `for model ${model.name} version ${model.version}, ` +
    `${formatCount(header.counts.rowCount)} rows listed with their counts`
  );
}

function reuseTable({ reuse }: StatsSummary): string {
  if (reuse.bins.length === 0) return "";
  return formatTable(
    [{ title: "rows read more than" }, { title: "% of touched rows" }, { title: "% of reads" }],
    reuse.bins.map(({ above, rowShare, readShare }) => [
      String(above),
      percent(rowShare),
      percent(readShare),
    ]),
  );
}

function cacheTable({ cacheNeeds, firstReadShare }: StatsSummary, hasBytes: boolean): string {
  const size = (rows: { rowCount: number; bytes: number }): string =>
    hasBytes ? formatBytes(rows.bytes) : `${formatCount(rows.rowCount)} rows`;
  const rows = cacheNeeds.map(({ hitRatio, hottest, evenRows, lruRowCount }) => [
    percent(hitRatio, 0),
    hottest === null ? "beyond the list" : size(hottest),
    size(evenRows),
    hottest === null ? "" : `${(evenRows.bytes / hottest.bytes).toFixed(2)}x`,
    lruRowCount === null ? "not from empty" : `${formatCount(lruRowCount)} rows`,
  ]);
  return (
    `${formatTable(
      [
        { title: "hit ratio" },
        { title: "hottest rows" },
        { title: "if read alike" },
        { title: "fewer" },
        { title: "one LRU cache" },
      ],
      rows,
    )}\n` +
    `first reads are ${percent(firstReadShare)} of all: an LRU cache that starts empty misses them`
  );
}

function lruLine({ lruHitRatios }: StatsSummary): string {
  if (lruHitRatios.length === 0) return "";
  const parts = lruHitRatios.map(
    ({ cacheShare, hitRatio }) => `${percent(hitRatio)} with ${percent(cacheShare, 0)}`,
  );
  return `LRU hits, each table with a share of the rows read of it: ${parts.join(", ")}`;
}

function tablesTable({ tables, queryCount }: AccessStats): string {
  const shown = tables.toSorted((a, b) => b.readCount - a.readCount).slice(0, LINES_MAX);
  const columns = ["reads", "rows read", "reads a row", "count error", "queries"];
  const curves = ["rows for 90 %", ...CACHE_SHARES.map((share) => `LRU at ${percent(share, 0)}`)];
  return (
    formatTable(
      [
        { title: "table", align: "left" },
        ...[...columns, ...curves, "curve"].map((title) => ({ title })),
      ],
      shown.map((table) => tableLine(table, queryCount)),
    ) + leftOut(tables.length, shown.length, "tables")
  );
}

function tableLine(table: TableStats, queryCount: number): string[] {
  const { readCount, distinctRowCount, distinctRowError, missRatioCurve: curve } = table;
  const rows90 = rowsForMissRatio(table.staticMissRatioCurve, 0.1);
  const about = distinctRowError > 0 ? "~" : "";
  return [
    table.table,
    formatCount(readCount),
    `${about}${formatCount(distinctRowCount)}`,
    (readCount / Math.max(1, distinctRowCount)).toFixed(1),
    table.countErrorMax === 0 ? "exact" : `<= ${formatCount(table.countErrorMax)}`,
    table.queryCount === null ? "?" : percent(table.queryCount / Math.max(1, queryCount), 0),
    rows90 === null ? "?" : formatCount(rows90),
    ...CACHE_SHARES.map((share) =>
      curve.length === 0 ? "" : percent(1 - missRatioAt(curve, distinctRowCount * share)),
    ),
    curveText(table),
  ];
}

function curveText({ missRatioMethod, missRatioError }: TableStats): string {
  if (missRatioMethod === "none") return "none";
  return missRatioError === null
    ? missRatioMethod
    : `${missRatioMethod} +-${(missRatioError * 100).toFixed(1)}`;
}

function featuresTable({ features, sampleCount }: AccessStats): string {
  const shown = features.slice(0, LINES_MAX);
  const titles = ["ids a sample", "empty bags", "median", "p99", "longest"];
  return (
    formatTable(
      [
        { title: "feature", align: "left" },
        { title: "table", align: "left" },
        ...titles.map((title) => ({ title })),
      ],
      shown.map((feature) => [
        feature.feature,
        feature.table,
        feature.poolingFactor.toFixed(2),
        percent(feature.emptyBagCount / Math.max(1, sampleCount)),
        bagLengthAt(feature.bagLengths, 0.5),
        bagLengthAt(feature.bagLengths, 0.99),
        String(feature.bagLengthMax),
      ]),
    ) + leftOut(features.length, shown.length, "features")
  );
}

/** The bag length that a share of the bags does not exceed: of a bin, its upper end. */
function bagLengthAt(bins: AccessStats["features"][number]["bagLengths"], share: number): string {
  const bagCount = bins.reduce((sum, bin) => sum + bin.bagCount, 0);
  let seen = 0;
  for (const bin of bins) {
    seen += bin.bagCount;
    if (seen >= bagCount * share) return String(bin.lengthMax);
  }
  return "?";
}

function coAccessText({ coAccess, queryCount, tables }: AccessStats): string {
  if (coAccess === null) return "which tables a query reads together: not known";
  if (coAccess.pairs.length === 0) {
    const rule = `within ${(coAccess.unlistedDeviationMax * 100).toFixed(2)} points of chance`;
    return `which tables a query reads together: every pair ${rule}`;
  }
  const shareOf = (name: string): number =>
    (tables.find((entry) => entry.table === name)?.queryCount ?? 0) / queryCount;
  const shown = coAccess.pairs.slice(0, PAIRS_SHOWN);
  return `queries that read both tables, and how many would by chance\n${formatTable(
    [
      { title: "table", align: "left" },
      { title: "table", align: "left" },
      { title: "both" },
      { title: "by chance" },
    ],
    shown.map(({ tables: [a, b], queryCount: both }) => [
      a,
      b,
      percent(both / queryCount),
      percent(shareOf(a) * shareOf(b)),
    ]),
  )}${leftOut(coAccess.pairs.length, shown.length, "pairs")}`;
}

function leftOut(count: number, shown: number, what: string): string {
  return count > shown ? `\n… and ${formatCount(count - shown)} more ${what}` : "";
}

function percent(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)} %`;
}
