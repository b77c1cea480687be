import { stat } from "node:fs/promises";
import { join } from "node:path";
import { fromFileError, ShardpoolError } from "../errors.js";
import { readJsonFile } from "../files.js";
import { type GoldenRequests, readGolden } from "./golden.js";
import {
  DENSE_FILE,
  GOLDEN_FILE,
  hashManifest,
  MANIFEST_FILE,
  type ModelManifest,
  type ModelTable,
  parseManifest,
  tableFileOf,
} from "./manifest.js";
import { TableReader } from "./table-reader.js";

/** A table open for reading decoded rows; `TableReader` is one. */
export type TableRows = Pick<TableReader, "table" | "readRows" | "close">;

/** What can be asked for rows: a model on disk, one that is being written, or one to be imported. */
export interface TableSource {
  readonly manifest: Pick<ModelManifest, "tables" | "features">;
  /**
   * Opens a table for reading; the caller closes it.
   *
   * @throws RangeError when the manifest has no such table.
   */
  openTable(name: string): TableRows;
}

/** A model directory whose manifest has been checked. Holds no open file. */
export interface Model extends TableSource {
  readonly dir: string;
  readonly manifest: ModelManifest;
  /** See `hashManifest`: what plans, stores and logs know the model by. */
  readonly hash: string;
  /** Path of the dense part. */
  readonly densePath: string;
  openTable(name: string): TableReader;
  /** @throws ShardpoolError FILE_CORRUPT or FORMAT_UNSUPPORTED. */
  readGolden(): Promise<GoldenRequests>;
}

/**
 * Opens a model directory: checks the manifest, and that every file it names is there, has its size
 * and, for tables, the right .npy header. Contents are not hashed: `model verify` does that.
 *
 * @throws ShardpoolError FILE_NOT_FOUND, FILE_UNREADABLE; MODEL_INVALID for a manifest that breaks a
 *   rule; FILE_CORRUPT or FORMAT_UNSUPPORTED for a file that is not as the manifest says.
 */
export async function openModel(dir: string): Promise<Model> {
  const manifestPath = join(dir, MANIFEST_FILE);
  const manifest = parseManifest(await readJsonFile(manifestPath), manifestPath);
  await Promise.all(
    Object.entries(manifest.files).map(([file, { bytes }]) => assertSize(dir, file, bytes)),
  );
  for (const table of manifest.tables) openTableFile(dir, table).close();
  return {
    dir,
    manifest,
    hash: hashManifest(manifest),
    densePath: join(dir, DENSE_FILE),
    openTable: (name) => openTableFile(dir, tableNamed(manifest.tables, name)),
    readGolden: () => readGolden(join(dir, GOLDEN_FILE), manifest),
  };
}

/** @throws RangeError when there is none. */
export function tableNamed(tables: readonly ModelTable[], name: string): ModelTable {
  const table = tables.find((candidate) => candidate.name === name);
  if (table === undefined) throw new RangeError(`no table ${name}`);
  return table;
}

/** Opens a table's file in a model's folder; see `TableReader.open`. */
export function openTableFile(dir: string, table: ModelTable): TableReader {
  return TableReader.open(join(dir, tableFileOf(table.name)), table);
}

async function assertSize(dir: string, file: string, bytes: number): Promise<void> {
  const path = join(dir, file);
  const found = await stat(path).catch((error: unknown) => {
    throw fromFileError(error, path);
  });
  if (found.size === bytes) return;
  throw new ShardpoolError(
    "FILE_CORRUPT",
    `${path} has ${found.size} bytes, the manifest says ${bytes}`,
  );
}
