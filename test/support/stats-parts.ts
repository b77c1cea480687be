import { type AccessStatsDraft, parseAccessStats } from "../../lib/stats/access-stats.js";
import type { AccessStatsFile } from "../../lib/stats/access-stats-file.js";
import { NO_COUNTS, type RowCounts } from "../../lib/stats/row-counts.js";

/** Statistics as they would be read back, without a file. */
export function statsPart(
  draft: AccessStatsDraft,
  countsByTable: ReadonlyMap<string, RowCounts>,
): Pick<AccessStatsFile, "header" | "countsOf"> {
  const counts = { file: "none.arrow", sha256: "0", rowCount: 0 };
  return {
    header: parseAccessStats({ formatVersion: 2, ...draft, counts }, "test statistics"),
    countsOf: (table) => countsByTable.get(table) ?? NO_COUNTS,
  };
}
