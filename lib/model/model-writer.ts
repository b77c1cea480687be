import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { hashFile, syncPath, writeFileWhole, writeJsonFile, writeWhole } from "../files.js";
import { NpyWriter, type WrittenFile } from "../npy/npy-file.js";
import { type GoldenRequests, writeGolden } from "./golden.js";
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
import { openTableFile, type TableSource, tableNamed } from "./model-directory.js";
import { npyLayoutOf, type TableReader } from "./table-reader.js";

/** A manifest without what follows from the files: what a model's maker decides. */
export type ModelDescription = Omit<ModelManifest, "formatVersion" | "files">;

export interface WrittenModel {
  readonly manifest: ModelManifest;
  readonly hash: string;
}

/**
 * Makes a model directory, whole or not at all: `fill` writes every table, the dense part and the
 * golden requests; the manifest follows, with the hashes taken while writing.
 *
 * @param replace With false, an existing directory is refused before anything is written.
 * @throws ShardpoolError MODEL_INVALID for a description that breaks a rule, OUTPUT_EXISTS,
 *   DISK_FULL or WRITE_FAILED.
 */
export async function writeModel(
  dir: string,
  description: ModelDescription,
  fill: (writer: ModelWriter) => Promise<void>,
  options: { readonly replace?: boolean } = {},
): Promise<WrittenModel> {
  assertDescription(description);
  return await writeWhole(
    dir,
    async (partialDir) => {
      await mkdir(join(partialDir, "tables"), { recursive: true });
      const writer = new ModelWriter(partialDir, description);
      try {
        await fill(writer);
      } finally {
        await writer.close();
      }
      const manifest = writer.toManifest();
      await syncPath(join(partialDir, "tables"));
      await writeJsonFile(join(partialDir, MANIFEST_FILE), manifest);
      return { manifest, hash: hashManifest(manifest) };
    },
    options,
  );
}

/** The files of a model as they are written. Tables may be written in any order, also side by side. */
export class ModelWriter implements TableSource {
  readonly manifest: ModelDescription;
  readonly #dir: string;
  readonly #files = new Map<string, WrittenFile>();
  readonly #claimed = new Set<string>();
  readonly #openTables = new Set<TableWriter>();

  /** `writeModel` makes it; `dir` has a folder `tables`. */
  constructor(dir: string, manifest: ModelDescription) {
    this.#dir = dir;
    this.manifest = manifest;
  }

  /**
   * Starts a table's file. The table is there once `finish` has been called on what this gives.
   *
   * @throws RangeError when the description has no such table, or it is written already.
   */
  async createTable(name: string): Promise<TableWriter> {
    const table = tableNamed(this.manifest.tables, name);
    const file = this.#claim(tableFileOf(name));
    const { dtype, shape } = npyLayoutOf(table);
    const npy = await NpyWriter.create(join(this.#dir, file), dtype, shape);
    const writer = new TableWriter(table, npy, (written) => {
      this.#files.set(file, written);
      this.#openTables.delete(writer);
    });
    this.#openTables.add(writer);
    return writer;
  }

  /** Opens a finished table for reading, for what has to be worked out from rows. */
  openTable(name: string): TableReader {
    return openTableFile(this.#dir, tableNamed(this.manifest.tables, name));
  }

  /** Where the dense part lies once it is written, until the model has its name. */
  get densePath(): string {
    return join(this.#dir, DENSE_FILE);
  }

  /** Writes the dense part, an ONNX file. */
  async writeDense(onnx: Uint8Array): Promise<void> {
    this.#claim(DENSE_FILE);
    await writeFileWhole(this.densePath, onnx);
    this.#files.set(DENSE_FILE, await hashFile(this.densePath));
  }

  /** Writes the golden requests. */
  async writeGolden(golden: GoldenRequests): Promise<void> {
    const path = join(this.#dir, this.#claim(GOLDEN_FILE));
    await writeGolden(path, golden, this.manifest);
    this.#files.set(GOLDEN_FILE, await hashFile(path));
  }

  /**
   * The manifest of what has been written.
   *
   * @throws ShardpoolError MODEL_INVALID when a file is missing.
   */
  toManifest(): ModelManifest {
    return toManifest(this.manifest, this.#files);
  }

  /** Closes files that were begun and not finished. */
  async close(): Promise<void> {
    await Promise.all([...this.#openTables].map((writer) => writer.close()));
  }

  /** Each file is written once: a second writer would spoil the hash of the first. */
  #claim(file: string): string {
    if (this.#claimed.has(file)) throw new RangeError(`${file} is written already`);
    this.#claimed.add(file);
    return file;
  }
}

/** Takes a table's rows, first to last. */
export class TableWriter {
  readonly table: ModelTable;
  readonly #npy: NpyWriter;
  readonly #onFinish: (written: WrittenFile) => void;

  /** `ModelWriter.createTable` makes it. */
  constructor(table: ModelTable, npy: NpyWriter, onFinish: (written: WrittenFile) => void) {
    this.table = table;
    this.#npy = npy;
    this.#onFinish = onFinish;
  }

  /**
   * Adds rows in the bytes of their dtype (see `encodeRows`); thousands a call is fast. The caller
   * may change `rowBytes` again once the promise is fulfilled.
   *
   * @throws RangeError when that is more than the table has.
   */
  async append(rowBytes: Uint8Array): Promise<void> {
    await this.#npy.append(rowBytes);
  }

  /**
   * Ends the table.
   *
   * @throws RangeError when rows are missing.
   */
  async finish(): Promise<void> {
    this.#onFinish(await this.#npy.finish());
  }

  /** Closes the file as it is; harmless after `finish`. */
  async close(): Promise<void> {
    await this.#npy.close();
  }
}

const NO_HASH = "0".repeat(64);

/** Finds problems before hours of writing, not after. */
function assertDescription(description: ModelDescription): void {
  const names = [DENSE_FILE, GOLDEN_FILE, ...description.tables.map((t) => tableFileOf(t.name))];
  toManifest(description, new Map(names.map((name) => [name, { sha256: NO_HASH, bytes: 0 }])));
}

function toManifest(
  description: ModelDescription,
  files: ReadonlyMap<string, WrittenFile>,
): ModelManifest {
  return parseManifest(
    { formatVersion: 1, ...description, files: Object.fromEntries(files) },
    `model ${description.name}`,
  );
}
