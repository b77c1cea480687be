import { existsSync, statSync } from "node:fs";
import Database from "better-sqlite3";
import { parseConfig } from "../../lib/config.js";
import { fromFileError, ShardpoolError } from "../../lib/errors.js";
import { intactRows } from "./block-layout.js";
import {
  type BlockSource,
  beginReads,
  corruptError,
  createBlockSource,
  readSealed,
} from "./block-source.js";
import { runBytesOf, runIdOf } from "./row-class-runs.js";
import { fromSqliteError } from "./sqlite-error.js";
import {
  hashCatalog,
  STORE_FORMAT_VERSION,
  type StoreCatalog,
  type StoredPartition,
  storeCatalogSchema,
} from "./store-catalog.js";
import { selectCatalog } from "./store-schema.js";

/** One connection to a shard store, for one thread. */
export interface ShardStore extends BlockSource {
  readonly path: string;
  readonly catalog: StoreCatalog;
  /**
   * One run of the lines of a partition's row classes (`runCountOf`, `RowClasses`), checked.
   *
   * @throws ShardpoolError as `readBlock`.
   */
  readRowClasses(partition: StoredPartition, run: number): Buffer;
}

export interface OpenStoreOptions {
  /**
   * Whether SQLite maps the file into memory (unless told, it does). Half the processor time of a block
   * that the page cache has; but a block that it lacks comes with all that the kernel reads around it,
   * up to the disk's `read_ahead_kb`, which is a loss when the file is far larger than memory.
   */
  readonly mapsFile?: boolean;
}

/**
 * Opens a store and checks everything about it but the blocks, which are checked as they are read.
 *
 * @throws ShardpoolError FILE_NOT_FOUND, FILE_CORRUPT, FORMAT_UNSUPPORTED or HASH_MISMATCH.
 */
export function openShardStore(path: string, options: OpenStoreOptions = {}): ShardStore {
  if (!existsSync(path)) throw new ShardpoolError("FILE_NOT_FOUND", `no such file: ${path}`);
  let db: Database.Database | undefined;
  try {
    db = new Database(path, { readonly: true, fileMustExist: true });
    assertWhole(db, path);
    beginReads(db, options.mapsFile ?? true);
    const catalog = readCatalog(db, path);
    return createStore(db, path, catalog);
  } catch (error) {
    db?.close();
    throw fromSqliteError(fromFileError(error, path), path);
  }
}

/** SQLite itself notices a cut file only when it reads past the end. */
function assertWhole(db: Database.Database, path: string): void {
  const pageCount = Number(db.pragma("page_count", { simple: true }));
  const pageBytes = Number(db.pragma("page_size", { simple: true }));
  const { size } = statSync(path);
  if (size < pageCount * pageBytes) {
    throw new ShardpoolError(
      "FILE_CORRUPT",
      `${path} is cut short: ${size} bytes, its header says ${pageCount * pageBytes}`,
    );
  }
}

function readCatalog(db: Database.Database, path: string): StoreCatalog {
  const { raw, catalogHash } = selectCatalog(db);
  const version = (raw as { formatVersion: unknown }).formatVersion;
  if (version !== STORE_FORMAT_VERSION) {
    throw new ShardpoolError(
      "FORMAT_UNSUPPORTED",
      `${path} has store format ${version}, this program reads ${STORE_FORMAT_VERSION}; build it again`,
    );
  }
  const catalog = parseConfig(storeCatalogSchema, raw, path, "FILE_CORRUPT");
  const found = hashCatalog(catalog);
  if (found !== catalogHash) {
    throw new ShardpoolError(
      "HASH_MISMATCH",
      `${path}: its catalog has hash ${found}, the file says ${catalogHash}`,
    );
  }
  return catalog;
}

function createStore(db: Database.Database, path: string, catalog: StoreCatalog): ShardStore {
  const selectRun = db.prepare("SELECT bytes FROM rowClasses WHERE id = ?").pluck();
  return {
    ...createBlockSource(db, path),
    path,
    catalog,
    readRowClasses: (partition, run) => {
      const id = runIdOf(partition, run);
      const sealed = readSealed(selectRun, id, path);
      const lines = sealed && intactRows(sealed, id, runBytesOf(partition, run));
      if (lines !== undefined) return lines;
      throw corruptError(path, `run ${id} of row classes`, partition);
    },
  };
}
