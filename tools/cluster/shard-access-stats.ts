import { ShardpoolError } from "../../lib/errors.js";
import type { Model } from "../../lib/model/model-directory.js";
import type { ShardDescription } from "../../lib/rpc/describe-client.js";
import type { PartitionAccessCounts, ShardAccessCounts } from "../../lib/rpc/stats-client.js";
import {
  type AccessStats,
  parseAccessStats,
  STATS_FORMAT_VERSION,
  type TableStats,
} from "../../lib/stats/access-stats.js";
import { type MergedStats, mergeAccessStats } from "../../lib/stats/merge-access-stats.js";
import { RowCountTable } from "../../lib/stats/row-count-table.js";
import { type RowCounts, readsOf, reuseBinsOf } from "../../lib/stats/row-counts.js";

/** What one shard says it holds, and what it counted. */
export interface ShardAnswer {
  readonly description: Pick<ShardDescription, "shardId" | "modelHash" | "partitions">;
  readonly accesses: ShardAccessCounts;
}

type HeldPartition = ShardDescription["partitions"][number];

/** A row of which nothing was counted was read as often with a chance below 0.00135: 3 sigma. */
const UNSEEN_CHANCE_LN = Math.log(0.00135);

/**
 * Access statistics of a running cluster: what its shards counted, times the share of lookups that
 * were. Replicas add up. Of a table cut by columns the parts with its first column count, because
 * each lookup reads all parts. Features, co-access and LRU curves are not known to shards.
 *
 * `countErrorMax` and `unlistedCountMax` of a sampled table are three standard errors under a steady
 * load, as if each read had been drawn by itself.
 *
 * @throws ShardpoolError STATS_INVALID when a shard counts nothing or a table's rows are not all held;
 * PLAN_MISMATCH for shards of another model; LIMIT_EXCEEDED when a row's reads pass 2^32 - 1.
 */
export function mergeShardAccesses(model: Model, answers: readonly ShardAnswer[]): MergedStats {
  for (const answer of answers) assertUsable(model, answer);
  assertCovered(model, answers);
  const parts = answers.map((answer) => statsPartOf(model, answer));
  const { draft, countsByTable } = mergeAccessStats(parts, "shards");
  const rowCounts = new Map(model.manifest.tables.map(({ name, rowCount }) => [name, rowCount]));
  return {
    draft: {
      ...draft,
      source: sourceOf(answers),
      tables: draft.tables.map((table) => withDistinctError(table as TableStats, rowCounts)),
    },
    countsByTable,
  };
}

function assertUsable(model: Model, { description, accesses }: ShardAnswer): void {
  const { shardId, modelHash } = description;
  if (modelHash !== model.hash) {
    throw new ShardpoolError(
      "PLAN_MISMATCH",
      `${shardId} serves model ${modelHash.slice(0, 12)}, ${model.dir} holds ${model.hash.slice(0, 12)}`,
    );
  }
  if (accesses.every === 0) {
    throw new ShardpoolError(
      "STATS_INVALID",
      `${shardId} counts nothing: its accessCountsEvery is 0`,
    );
  }
}

function assertCovered(model: Model, answers: readonly ShardAnswer[]): void {
  const held = answers.flatMap(({ description }) => description.partitions.filter(isCounted));
  for (const { name, rowCount } of model.manifest.tables) {
    const ranges = held
      .filter(({ table }) => table === name)
      .toSorted((a, b) => a.rowStart - b.rowStart);
    let upTo = 0;
    for (const { rowStart, rowEnd } of ranges) if (rowStart <= upTo) upTo = Math.max(upTo, rowEnd);
    if (upTo === rowCount) continue;
    throw new ShardpoolError(
      "STATS_INVALID",
      `no shard that was asked counts row ${upTo} of table ${name}, which has ${rowCount}`,
    );
  }
}

/** Every row of a table lies in one partition that has its first column. */
function isCounted({ columnStart }: HeldPartition): boolean {
  return columnStart === 0;
}

function statsPartOf(
  model: Model,
  { description, accesses }: ShardAnswer,
): { header: AccessStats; countsOf: (table: string) => RowCounts } {
  const counted = description.partitions.filter(isCounted);
  const countsByTable = new Map<string, RowCounts>();
  const tables: TableStats[] = [];
  for (const table of new Set(counted.map((partition) => partition.table))) {
    const partitions = counted.filter((partition) => partition.table === table);
    const counts = countsOf(partitions, accesses);
    countsByTable.set(table, counts);
    tables.push(tableStatsOf(table, counts, partitions, accesses));
  }
  const { name, version } = model.manifest;
  const header = {
    formatVersion: STATS_FORMAT_VERSION,
    model: { name, version, hash: model.hash },
    source: description.shardId,
    ...{
      sampleCount: accesses.sampleCount,
      queryCount: accesses.lookupCount,
      tables,
      features: [],
    },
    // Never written: only the merged statistics are.
    counts: { file: "", sha256: "", rowCount: 0 },
  };
  const what = `statistics of ${description.shardId}`;
  return {
    header: parseAccessStats(header, what),
    countsOf: (table) => countsByTable.get(table)!,
  };
}

function countsOf(partitions: readonly HeldPartition[], accesses: ShardAccessCounts): RowCounts {
  const sums = new RowCountTable(Number.POSITIVE_INFINITY);
  for (const { number, rowStart } of partitions) {
    for (const { rowIds, counts } of accesses.partitions.get(number)?.chunks ?? []) {
      for (let i = 0; i < rowIds.length; i++) {
        sums.add(rowStart + rowIds[i]!, counts[i]! * accesses.every);
      }
    }
  }
  return sums.toRowCounts();
}

function tableStatsOf(
  table: string,
  counts: RowCounts,
  partitions: readonly HeldPartition[],
  { every, partitions: accesses }: ShardAccessCounts,
): TableStats {
  const own = partitions.flatMap(({ number }): PartitionAccessCounts[] => {
    const access = accesses.get(number);
    return access === undefined ? [] : [access];
  });
  const readCount = own.reduce((sum, access) => sum + access.readCount, 0) * every;
  const dropped = Math.max(0, ...own.map((access) => access.droppedCountMax)) * every;
  const unlistedCountMax = dropped + unseenCountMax(every);
  return {
    table,
    readCount,
    distinctRowCount: counts.rowIds.length,
    distinctRowError: 0,
    listedRowCount: counts.rowIds.length,
    tailReadCount: readCount - readsOf(counts),
    countErrorMax: dropped + Math.ceil(3 * Math.sqrt((counts.counts[0] ?? 0) * (every - 1))),
    unlistedCountMax,
    queryCount: null,
    reuse: reuseBinsOf(counts, unlistedCountMax),
    missRatioCurve: [],
    missRatioError: null,
    missRatioMethod: "none",
    staticMissRatioCurve: [],
  };
}

/** Reads of a row that can be missed every time: `(1 - 1 / every) ^ reads` is 3 sigma's chance. */
function unseenCountMax(every: number): number {
  return every === 1 ? 0 : Math.ceil(UNSEEN_CHANCE_LN / Math.log(1 - 1 / every));
}

/** Rows that were read and not counted are between none and all others. */
function withDistinctError(stats: TableStats, rowCounts: ReadonlyMap<string, number>): TableStats {
  if (stats.unlistedCountMax === 0) return stats;
  const { distinctRowCount } = stats;
  const unlisted = rowCounts.get(stats.table)! - distinctRowCount;
  return { ...stats, distinctRowError: unlisted / Math.max(1, distinctRowCount) };
}

function sourceOf(answers: readonly ShardAnswer[]): string {
  const every = [...new Set(answers.map(({ accesses }) => accesses.every))].sort((a, b) => a - b);
  const sampling = every.length === 1 && every[0] === 1 ? "every lookup" : `1 of ${every} lookups`;
  return `${answers.length} shards, ${sampling} counted`;
}
