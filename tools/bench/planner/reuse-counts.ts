import type { RowCounts } from "../../../lib/stats/counts-file.js";
import { type ReuseProfile, reuseTargetOf } from "../../clicks/reuse-targets.js";

/** The shape of the hottest bin, which the published histogram leaves open. */
const HOTTEST_EXPONENT = 0.8;

/** Spreads neighbouring ranks over a table: a prime, and no factor of any row count below it. */
const SCATTER = 2_147_483_629;

/**
 * Counts of a table read `readCount` times with the reuse of a published trace: as many rows in each
 * bin of the histogram, and as many reads, as whole rows allow.
 *
 * @param isScattered Hot rows lie anywhere; else the hottest has row id 0.
 */
export function reuseCountsOf(
  profile: ReuseProfile,
  rowCount: number,
  readCount: number,
  isScattered: boolean,
): RowCounts {
  const { meanReuse, bins } = reuseTargetOf(profile);
  const touched = Math.max(
    1,
    Math.min(Math.ceil(rowCount * 0.9), Math.round(readCount / meanReuse)),
  );
  const scale = readCount / (touched * meanReuse);
  const edges = [...bins, { above: 0, rowShare: 1, readShare: 1 }];
  const counts: number[] = [];
  let before = { rowShare: 0, readShare: 0 };
  for (const bin of edges) {
    const rows = Math.round(bin.rowShare * touched) - counts.length;
    const reads = (bin.readShare - before.readShare) * touched * meanReuse * scale;
    const isHottest = before.rowShare === 0;
    for (let i = 0; i < rows; i++) {
      const even = reads / rows;
      const shape = isHottest
        ? (1 - HOTTEST_EXPONENT) * ((i + 0.5) / rows) ** -HOTTEST_EXPONENT
        : 1;
      counts.push(Math.max(1, Math.round(even * shape)));
    }
    before = bin;
  }
  counts.sort((a, b) => b - a);
  return {
    rowIds: Int32Array.from(counts, (_, rank) =>
      isScattered ? Number((BigInt(rank) * BigInt(SCATTER)) % BigInt(rowCount)) : rank,
    ),
    counts: Uint32Array.from(counts),
  };
}
