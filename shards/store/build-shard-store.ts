import { existsSync, statSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import Database from "better-sqlite3";
import { ShardpoolError } from "../../lib/errors.js";
import { writeWhole } from "../../lib/files.js";
import type { Dtype } from "../../lib/model/dtype.js";
import type { ModelTable } from "../../lib/model/manifest.js";
import { type Model, openModel } from "../../lib/model/model-directory.js";
import { rowsPerBlockOf } from "../../lib/model/rows-per-block.js";
import {
  assertPlanFitsModel,
  COLUMN_SPLIT_MULTIPLE,
  type PlanPartition,
  type ShardingPlan,
} from "../../lib/plan/plan.js";
import type { AccessStatsFile } from "../../lib/stats/access-stats-file.js";
import { BLOCK_CRC_BYTES } from "./block-layout.js";
import { BlockWriter } from "./block-writer.js";
import { choosePageBytes } from "./choose-page-bytes.js";
import { classifyRows } from "./classify-rows.js";
import { type ColumnSlice, columnSliceOf, type RowSource } from "./partition-rows.js";
import { insertRowClasses } from "./row-class-runs.js";
import type { RowClasses } from "./row-classes.js";
import { openShardStore } from "./shard-store.js";
import { fromSqliteError } from "./sqlite-error.js";
import {
  hashCatalog,
  STORE_FORMAT_VERSION,
  type StoreCatalog,
  type StoredPartition,
} from "./store-catalog.js";
import { createStoreTables, insertCatalog } from "./store-schema.js";
import { rowCountOf } from "./stored-partition.js";

export interface BuildShardStoreOptions {
  readonly modelDir: string;
  readonly plan: ShardingPlan;
  readonly shardId: string;
  /**
   * The statistics the plan was made from: rows are laid out by them, those read most together. Rows
   * lie in row-id order without.
   */
  readonly stats?: AccessStatsFile;
  /** Path of the store. */
  readonly out: string;
  /** Told every few megabytes. */
  readonly onProgress?: (rowsDone: number, rowCount: number) => void;
}

export interface BuiltShardStore {
  readonly path: string;
  readonly partitionCount: number;
  readonly rowCount: number;
  readonly bytes: number;
  /** Hash of the statistics that rows are laid out by; null when they lie in row-id order. */
  readonly statsHash: string | null;
  /** True when the file at `out` held every wanted partition, and was left as it is. */
  readonly reused: boolean;
}

/** Table bytes read at a time; with one block it is all the memory a build takes for rows. */
const CHUNK_BYTES = 4 * 1024 * 1024;

/**
 * Builds the store of one shard of a plan: every partition the plan puts there, whole or not at all.
 * A store at `out` that holds them all already, laid out by these statistics, is left as it is.
 *
 * Tables are read once, in row-id order. Memory: 4 MiB of a table, 16 blocks, SQLite's cache and, with
 * statistics, 3 bits a row of the largest partition beside the statistics themselves.
 *
 * @throws ShardpoolError PLAN_MISMATCH or PLAN_INVALID when the plan is not for this model or these
 * statistics or has no such shard, STATS_INVALID, DISK_FULL or WRITE_FAILED, and what `openModel`
 * throws.
 */
export async function buildShardStore(options: BuildShardStoreOptions): Promise<BuiltShardStore> {
  const { plan, shardId, stats, out } = options;
  const model = await openModel(options.modelDir);
  assertPlanFitsModel(plan, model.manifest, model.hash);
  if (stats !== undefined) assertStatsFitPlan(stats, plan);
  const wanted = partitionsOf(plan, shardId);
  const kept = openKept(out, wanted, stats?.hash);
  const rowCount = wanted.reduce((sum, { rowStart, rowEnd }) => sum + rowEnd - rowStart, 0);
  if (kept === undefined) {
    const report = (rowsDone: number): void => options.onProgress?.(rowsDone, rowCount);
    await writeWhole(out, (partialPath) =>
      fillStore(partialPath, out, { model, shardId, stats, wanted, report }),
    );
  }
  return {
    path: out,
    partitionCount: wanted.length,
    rowCount,
    bytes: statSync(out).size,
    statsHash: kept === undefined ? (stats?.hash ?? null) : kept.statsHash,
    reused: kept !== undefined,
  };
}

function assertStatsFitPlan(stats: AccessStatsFile, plan: ShardingPlan): void {
  if (stats.hash === plan.statsHash) return;
  const source =
    plan.statsHash === null ? "without statistics" : `from ${plan.statsHash.slice(0, 12)}`;
  throw new ShardpoolError(
    "PLAN_MISMATCH",
    `the statistics are ${stats.hash.slice(0, 12)}, the plan was made ${source}`,
  );
}

function partitionsOf(plan: ShardingPlan, shardId: string): PlanPartition[] {
  if (!plan.shards.some((shard) => shard.id === shardId)) {
    throw new ShardpoolError(
      "PLAN_INVALID",
      `the plan has no shard ${shardId}, only ${plan.shards.map((shard) => shard.id).join(", ")}`,
    );
  }
  const wanted = plan.partitions.filter((partition) => partition.shards.includes(shardId));
  if (wanted.length === 0) {
    throw new ShardpoolError("PLAN_INVALID", `the plan puts no partition on shard ${shardId}`);
  }
  return wanted;
}

/** A partition's id names its bytes, so a store made for another plan serves as well. */
function openKept(
  path: string,
  wanted: readonly PlanPartition[],
  statsHash: string | undefined,
): StoreCatalog | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const { catalog, close } = openShardStore(path);
    close();
    const held = new Set(catalog.partitions.map((partition) => partition.id));
    const holdsAll = wanted.every((partition) => held.has(partition.id));
    const isLaidOut = statsHash === undefined || catalog.statsHash === statsHash;
    return holdsAll && isLaidOut ? catalog : undefined;
  } catch (error) {
    // What cannot be read is not worth keeping: it is replaced by what can.
    if (error instanceof ShardpoolError) return undefined;
    throw error;
  }
}

function tableOf(model: Model, name: string): ModelTable {
  const table = model.manifest.tables.find((candidate) => candidate.name === name);
  if (table === undefined) throw new ShardpoolError("PLAN_INVALID", `the model has no ${name}`);
  return table;
}

function sliceOf(model: Model, partition: PlanPartition): ColumnSlice {
  const { embeddingDim, dtype } = tableOf(model, partition.table);
  const { columnStart, columnEnd } = partition;
  const isOnSplit = (column: number): boolean =>
    column === embeddingDim || column % COLUMN_SPLIT_MULTIPLE === 0;
  if (!isOnSplit(columnStart) || !isOnSplit(columnEnd)) {
    throw new ShardpoolError(
      "PLAN_INVALID",
      `partition ${partition.id}: columns ${columnStart}-${columnEnd} of ${embeddingDim} do not lie on multiples of ${COLUMN_SPLIT_MULTIPLE}`,
    );
  }
  return columnSliceOf(dtype, embeddingDim, columnStart, columnEnd);
}

/** What a store is filled from. */
interface StoreContents {
  readonly model: Model;
  readonly shardId: string;
  readonly stats: AccessStatsFile | undefined;
  readonly wanted: readonly PlanPartition[];
  readonly report: (rowsDone: number) => void;
}

async function fillStore(partialPath: string, out: string, contents: StoreContents): Promise<void> {
  const { model, shardId, stats } = contents;
  const pageBytes = pageBytesFor(contents);
  const db = new Database(partialPath);
  try {
    db.pragma(`page_size = ${pageBytes}`);
    // The file is nobody's until it is renamed, so it needs no journal and one sync, at the end.
    db.pragma("journal_mode = OFF");
    db.pragma("synchronous = OFF");
    db.pragma("locking_mode = EXCLUSIVE");
    db.exec("BEGIN");
    createStoreTables(db);
    const partitions = await insertPartitions(db, contents);
    const catalog: StoreCatalog = {
      formatVersion: STORE_FORMAT_VERSION,
      shardId,
      modelName: model.manifest.name,
      modelVersion: model.manifest.version,
      modelHash: model.hash,
      statsHash: stats?.hash ?? null,
      partitions,
    };
    insertCatalog(db, catalog, hashCatalog(catalog));
    db.exec("COMMIT");
  } catch (error) {
    throw fromSqliteError(error, out);
  } finally {
    db.close();
  }
}

function pageBytesFor({ model, wanted }: StoreContents): number {
  return choosePageBytes(
    wanted.map((planned) => {
      const { rowBytes } = sliceOf(model, planned);
      const rowsPerBlock = rowsPerBlockOf(rowBytes);
      return {
        blockBytes: rowsPerBlock * rowBytes + BLOCK_CRC_BYTES,
        blockCount: Math.ceil((planned.rowEnd - planned.rowStart) / rowsPerBlock),
      };
    }),
  );
}

async function insertPartitions(
  db: Database.Database,
  { model, stats, wanted, report }: StoreContents,
): Promise<StoredPartition[]> {
  const insertBlock = db.prepare("INSERT INTO blocks (id, bytes) VALUES (?, ?)");
  const insertRun = db.prepare("INSERT INTO rowClasses (id, bytes) VALUES (?, ?)");
  const partitions: StoredPartition[] = [];
  let firstBlock = 0;
  let rowsBefore = 0;
  for (const [number, planned] of wanted.entries()) {
    const slice = sliceOf(model, planned);
    const { dtype, rowCount: tableRowCount } = tableOf(model, planned.table);
    const classes =
      stats && classifyRows(stats, { ...planned, tableRowCount }, rowsPerBlockOf(slice.rowBytes));
    const partition = layOut(planned, dtype, slice, { number, firstBlock, classes });
    const writer = new BlockWriter(insertBlock, partition, slice, classes);
    const source = model.openTable(planned.table);
    try {
      await copyRows(source, partition, writer, (rows) => report(rowsBefore + rows));
    } finally {
      source.close();
    }
    if (classes) insertRowClasses(insertRun, partition, classes);
    partitions.push(partition);
    firstBlock += partition.blockCount;
    rowsBefore += rowCountOf(partition);
  }
  return partitions;
}

function layOut(
  planned: PlanPartition,
  dtype: Dtype,
  { rowBytes }: ColumnSlice,
  place: { number: number; firstBlock: number; classes: RowClasses | undefined },
): StoredPartition {
  const { id, table, rowStart, rowEnd, columnStart, columnEnd } = planned;
  const { number, firstBlock, classes } = place;
  const rowsPerBlock = rowsPerBlockOf(rowBytes);
  const blockCount = Math.ceil((rowEnd - rowStart) / rowsPerBlock);
  return {
    ...{ number, id, table, rowStart, rowEnd, columnStart, columnEnd, dtype, rowBytes },
    ...{ rowsPerBlock, firstBlock, blockCount, classRowCounts: classes?.rowCounts ?? null },
  };
}

async function copyRows(
  source: RowSource,
  partition: StoredPartition,
  writer: BlockWriter,
  report: (rowsDone: number) => void,
): Promise<void> {
  const { rowStart } = partition;
  const rowCount = rowCountOf(partition);
  const rowsPerChunk = Math.max(1, Math.floor(CHUNK_BYTES / source.rowBytes));
  const tableRows = new Uint8Array(Math.min(rowsPerChunk, rowCount) * source.rowBytes);
  for (let row = 0; row < rowCount; row += rowsPerChunk) {
    const chunkRows = Math.min(rowsPerChunk, rowCount - row);
    const chunk = tableRows.subarray(0, chunkRows * source.rowBytes);
    source.readRowBytes(rowStart + row, chunkRows, chunk);
    writer.add(row, chunkRows, chunk);
    report(row + chunkRows);
    // SQLite's calls block the thread; the bar, Ctrl-C and the other work of the process get a turn.
    await nextTurn();
  }
}
