import { Random } from "../../lib/random.js";
import type { ClickProfile } from "./click-profile.js";
import type { ReuseCounts } from "./reuse-counts.js";
import type { TableReads } from "./reuse-fit.js";
import { RowScatter } from "./row-scatter.js";
import { orderReads, type TimeOrder } from "./row-times.js";
import { ZipfRanks } from "./zipf-ranks.js";

export interface DrawRowsOptions {
  readonly profile: ClickProfile;
  readonly timeOrder: TimeOrder;
  readonly seed: number;
  /** What a profile with a reuse table has chosen. */
  readonly reuse?: ReuseCounts;
}

/**
 * Draws the row ids of one table in the order of the log. A table has a random stream of its own, so
 * that the rows of one do not depend on the others.
 *
 * @returns `[readCount]`.
 */
export function drawRows(table: TableReads, options: DrawRowsOptions): Int32Array {
  const { profile, timeOrder, seed } = options;
  const random = new Random(seed, `rows/${table.table}`);
  const scatter = new RowScatter(table.rowCount, random.nextUint32());
  if (profile.kind === "reuse") {
    const counts = options.reuse?.countsByTable.get(table.table) ?? new Uint32Array(0);
    const rowIds = new Int32Array(counts.length);
    for (let i = 0; i < rowIds.length; i++) rowIds[i] = scatter.rowAt(i);
    return orderReads(rowIds, counts, timeOrder, random);
  }
  const drawn = drawIndependent(table, profile, scatter, random);
  if (timeOrder.locality === 0) return drawn;
  const { rowIds, counts } = countDrawn(drawn);
  return orderReads(rowIds, counts, timeOrder, random);
}

/** Each read a draw of its own. */
function drawIndependent(
  { rowCount, readCount }: TableReads,
  profile: Exclude<ClickProfile, { kind: "reuse" }>,
  scatter: RowScatter,
  random: Random,
): Int32Array {
  const drawn = new Int32Array(readCount);
  if (profile.kind === "uniform") {
    for (let r = 0; r < readCount; r++) drawn[r] = random.nextBelow(rowCount);
    return drawn;
  }
  const ranks = new ZipfRanks(rowCount, profile.exponent);
  for (let r = 0; r < readCount; r++) drawn[r] = scatter.rowAt(ranks.next(random));
  return drawn;
}

/** Distinct rows and how often each was drawn; sorts `drawn` on the way. */
function countDrawn(drawn: Int32Array): { rowIds: Int32Array; counts: Uint32Array } {
  drawn.sort();
  const rowIds = new Int32Array(drawn.length);
  const counts = new Uint32Array(drawn.length);
  let distinct = 0;
  for (let r = 0; r < drawn.length; r++) {
    if (r === 0 || drawn[r] !== drawn[r - 1]) rowIds[distinct++] = drawn[r]!;
    counts[distinct - 1]! += 1;
  }
  return { rowIds: rowIds.subarray(0, distinct), counts: counts.subarray(0, distinct) };
}
