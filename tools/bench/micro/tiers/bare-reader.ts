import { crc32 } from "node:zlib";
import Database from "better-sqlite3";
import { BufferRelease } from "../../../../shards/index.js";

/**
 * The least that reading blocks can cost here: one prepared statement, and the CRC-32 of each block. Its
 * buffers are freed as the engine frees its own: left to the garbage collector they cost this loop up to
 * twice the time, by what else the process has done, and the engine would look the better for it.
 */
export class BareReader {
  readonly #db: Database.Database;
  readonly #select: Database.Statement;
  readonly #buffers = new BufferRelease();

  constructor(storePath: string, mapsFile = true) {
    this.#db = new Database(storePath, { readonly: true });
    if (mapsFile) this.#db.pragma("mmap_size = 1099511627776");
    this.#db.exec("BEGIN");
    this.#select = this.#db.prepare("SELECT bytes FROM blocks WHERE id = ?").pluck();
  }

  /** Whether the block is sound. */
  read(id: number): boolean {
    const sealed = this.#select.get(id) as Buffer;
    const rowBytes = sealed.length - 4;
    const isSound = sealed.readUInt32LE(rowBytes) === crc32(sealed.subarray(0, rowBytes), id);
    this.#buffers.release(sealed);
    return isSound;
  }

  close(): void {
    this.#db.close();
  }
}
