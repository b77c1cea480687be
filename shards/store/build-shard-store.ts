import { existsSync, statSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import Database from "better-sqlite3";
import { ShardpoolError } from "../../lib/errors.js";
import { writeWhole } from "../../lib/files.js";
import type { ModelTable } from "../../lib/model/manifest.js";
import { type Model, openModel } from "../../lib/model/model-directory.js";
import {
  assertPlanFitsModel,
  COLUMN_SPLIT_MULTIPLE,
  type PlanPartition,
  type ShardingPlan,
} from "../../lib/plan/plan.js";
import { BLOCK_CRC_BYTES, rowsPerBlockOf, sealBlock } from "./block-layout.js";
import { type ColumnSlice, columnSliceOf, copySlices, type RowSource } from "./partition-rows.js";
import { openShardStore } from "./shard-store.js";
import { fromSqliteError } from "./sqlite-error.js";
import {
  hashCatalog,
  rowCountOf,
  STORE_FORMAT_VERSION,
  type StoreCatalog,
  type StoredPartition,
} from "./store-catalog.js";
import { createStoreTables, insertCatalog } from "./store-schema.js";

export interface BuildShardStoreOptions {
  readonly modelDir: string;
  readonly plan: ShardingPlan;
  readonly shardId: string;
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
  /** True when the file at `out` held every wanted partition, and was left as it is. */
  readonly reused: boolean;
}

/** Table bytes read at a time; with one block it is all the memory a build takes for rows. */
const CHUNK_BYTES = 4 * 1024 * 1024;

/**
 * Builds the store of one shard of a plan: every partition the plan puts there, whole or not at all.
 * A store at `out` that holds them all already is left as it is.
 *
 * @throws ShardpoolError PLAN_MISMATCH or PLAN_INVALID when the plan is not for this model or has no
 * such shard, DISK_FULL or WRITE_FAILED, and what `openModel` throws.
 */
export async function buildShardStore(options: BuildShardStoreOptions): Promise<BuiltShardStore> {
  const { plan, shardId, out } = options;
  const model = await openModel(options.modelDir);
  assertPlanFitsModel(plan, model.manifest, model.hash);
  const wanted = partitionsOf(plan, shardId);
  const catalog = layOut(model, plan, shardId, wanted);
  const rowCount = catalog.partitions.reduce((sum, partition) => sum + rowCountOf(partition), 0);
  const reused = holdsAll(out, wanted);
  if (!reused) {
    const report = (rowsDone: number): void => options.onProgress?.(rowsDone, rowCount);
    await writeWhole(out, (partialPath) => fillStore(partialPath, out, model, catalog, report));
  }
  const { size } = statSync(out);
  return { path: out, partitionCount: wanted.length, rowCount, bytes: size, reused };
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
function holdsAll(path: string, wanted: readonly PlanPartition[]): boolean {
  if (!existsSync(path)) return false;
  try {
    const store = openShardStore(path);
    store.close();
    const held = new Set(store.catalog.partitions.map((partition) => partition.id));
    return wanted.every((partition) => held.has(partition.id));
  } catch (error) {
    // What cannot be read is not worth keeping: it is replaced by what can.
    if (error instanceof ShardpoolError) return false;
    throw error;
  }
}

function layOut(
  model: Model,
  plan: ShardingPlan,
  shardId: string,
  wanted: readonly PlanPartition[],
): StoreCatalog {
  let firstBlock = 0;
  const partitions = wanted.map((partition, number): StoredPartition => {
    const { id, table, rowStart, rowEnd, columnStart, columnEnd } = partition;
    const { dtype } = tableOf(model, table);
    const { rowBytes } = sliceOf(model, partition);
    const rowsPerBlock = rowsPerBlockOf(rowBytes);
    const blockCount = Math.ceil((rowEnd - rowStart) / rowsPerBlock);
    const stored = {
      ...{ number, id, table, rowStart, rowEnd, columnStart, columnEnd, dtype, rowBytes },
      ...{ rowsPerBlock, firstBlock, blockCount },
    };
    firstBlock += blockCount;
    return stored;
  });
  return {
    formatVersion: STORE_FORMAT_VERSION,
    shardId,
    modelName: model.manifest.name,
    modelVersion: model.manifest.version,
    modelHash: model.hash,
    statsHash: plan.statsHash,
    partitions,
  };
}

function tableOf(model: Model, name: string): ModelTable {
  const table = model.manifest.tables.find((candidate) => candidate.name === name);
  if (table === undefined) throw new ShardpoolError("PLAN_INVALID", `the model has no ${name}`);
  return table;
}

function sliceOf(model: Model, partition: PlanPartition | StoredPartition): ColumnSlice {
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

async function fillStore(
  partialPath: string,
  out: string,
  model: Model,
  catalog: StoreCatalog,
  report: (rowsDone: number) => void,
): Promise<void> {
  const db = new Database(partialPath);
  try {
    // The file is nobody's until it is renamed, so it needs no journal and one sync, at the end.
    db.pragma("journal_mode = OFF");
    db.pragma("synchronous = OFF");
    db.pragma("locking_mode = EXCLUSIVE");
    db.exec("BEGIN");
    createStoreTables(db);
    const insert = db.prepare("INSERT INTO blocks (id, bytes) VALUES (?, ?)");
    let rowsBefore = 0;
    for (const partition of catalog.partitions) {
      const source = model.openTable(partition.table);
      try {
        const slice = sliceOf(model, partition);
        await insertBlocks(insert, partition, slice, source, (rows) => report(rowsBefore + rows));
      } finally {
        source.close();
      }
      rowsBefore += rowCountOf(partition);
    }
    insertCatalog(db, catalog, hashCatalog(catalog));
    db.exec("COMMIT");
  } catch (error) {
    throw fromSqliteError(error, out);
  } finally {
    db.close();
  }
}

async function insertBlocks(
  insert: Database.Statement,
  partition: StoredPartition,
  slice: ColumnSlice,
  source: RowSource,
  report: (rowsDone: number) => void,
): Promise<void> {
  const { rowStart, rowsPerBlock, rowBytes, firstBlock } = partition;
  const rowCount = rowCountOf(partition);
  const blocksPerChunk = Math.max(
    1,
    Math.floor(CHUNK_BYTES / (slice.tableRowBytes * rowsPerBlock)),
  );
  const rowsPerChunk = blocksPerChunk * rowsPerBlock;
  const tableRows = new Uint8Array(Math.min(rowsPerChunk, rowCount) * slice.tableRowBytes);
  const sealed = Buffer.alloc(rowsPerBlock * rowBytes + BLOCK_CRC_BYTES);

  for (let row = 0; row < rowCount; row += rowsPerChunk) {
    const chunkRows = Math.min(rowsPerChunk, rowCount - row);
    const chunk = tableRows.subarray(0, chunkRows * slice.tableRowBytes);
    source.readRowBytes(rowStart + row, chunkRows, chunk);
    for (let at = 0; at < chunkRows; at += rowsPerBlock) {
      const blockRows = Math.min(rowsPerBlock, chunkRows - at);
      const block = sealed.subarray(0, blockRows * rowBytes + BLOCK_CRC_BYTES);
      copySlices(slice, chunk.subarray(at * slice.tableRowBytes), blockRows, block);
      const id = firstBlock + (row + at) / rowsPerBlock;
      sealBlock(block, id);
      insert.run(id, block);
    }
    report(row + chunkRows);
    // SQLite's calls block the thread; the bar, Ctrl-C and the other work of the process get a turn.
    await nextTurn();
  }
}
