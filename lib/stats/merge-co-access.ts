import type { AccessStats, CoAccess } from "./access-stats.js";

/** Pairs a merged list holds at most. */
const PAIRS_MAX = 2000;

/**
 * Adds up what queries of different logs read together. Where one log does not list a pair, the
 * product of its tables' shares stands in, within that log's stated deviation.
 *
 * @returns null unless every log tells its queries apart.
 */
export function mergeCoAccess(headers: readonly AccessStats[]): CoAccess | null {
  const queryCount = headers.reduce((sum, header) => sum + header.queryCount, 0);
  if (queryCount === 0 || headers.some((header) => header.coAccess === null)) return null;
  const logs = headers.map((header) => ({
    queryCount: header.queryCount,
    queriesByTable: new Map(header.tables.map((entry) => [entry.table, entry.queryCount ?? 0])),
    queriesByPair: new Map(
      header.coAccess?.pairs.map(({ tables, queryCount }) => [JSON.stringify(tables), queryCount]),
    ),
    deviation: header.coAccess?.unlistedDeviationMax ?? 0,
  }));
  const deviationMax =
    logs.reduce((sum, log) => sum + log.deviation * log.queryCount, 0) / queryCount;
  const totalOf = (table: string): number =>
    logs.reduce((sum, log) => sum + (log.queriesByTable.get(table) ?? 0), 0);

  const pairs = [...new Set(logs.flatMap((log) => [...log.queriesByPair.keys()]))].map((key) => {
    const tables = JSON.parse(key) as [string, string];
    const together = logs.reduce((sum, log) => {
      const byChance =
        log.queryCount === 0
          ? 0
          : ((log.queriesByTable.get(tables[0]) ?? 0) * (log.queriesByTable.get(tables[1]) ?? 0)) /
            log.queryCount;
      return sum + (log.queriesByPair.get(key) ?? byChance);
    }, 0);
    const expected = (totalOf(tables[0]) / queryCount) * (totalOf(tables[1]) / queryCount);
    const deviation = Math.abs(together / queryCount - expected);
    return { tables, queryCount: Math.round(together), deviation };
  });
  pairs.sort((a, b) => b.deviation - a.deviation);
  const seam = mixtureDeviation(logs, queryCount);
  return {
    pairs: pairs.slice(0, PAIRS_MAX).map(({ tables, queryCount: count }) => ({
      tables,
      queryCount: count,
    })),
    unlistedDeviationMax: Math.min(
      1,
      Math.max(deviationMax + seam, pairs[PAIRS_MAX]?.deviation ?? 0),
    ),
  };
}

interface LogShares {
  readonly queryCount: number;
  readonly queriesByTable: ReadonlyMap<string, number>;
}

/**
 * How far a mean of products lies from the product of means, over all pairs of tables: no further than
 * the largest variance of a table's share between the logs (Cauchy and Schwarz).
 */
function mixtureDeviation(logs: readonly LogShares[], queryCount: number): number {
  let largest = 0;
  for (const table of new Set(logs.flatMap((log) => [...log.queriesByTable.keys()]))) {
    let mean = 0;
    let meanSquare = 0;
    for (const log of logs) {
      if (log.queryCount === 0) continue;
      const share = (log.queriesByTable.get(table) ?? 0) / log.queryCount;
      mean += (share * log.queryCount) / queryCount;
      meanSquare += (share * share * log.queryCount) / queryCount;
    }
    largest = Math.max(largest, meanSquare - mean * mean);
  }
  return largest;
}
