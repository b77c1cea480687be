import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { fromFileError, ShardpoolError } from "../errors.js";
import { FileRegion, type Region } from "./file-region.js";
import type { NpyDtype } from "./npy-dtype.js";
import { bytesOf, elementCountOf, itemBytesOf, type NpyArray, zerosOf } from "./npy-dtype.js";
import {
  formatNpyHeader,
  type NpyHeader,
  PREAMBLE_BYTES,
  parseHeaderText,
  parsePreamble,
} from "./npy-header.js";

/**
 * A .npy array open for reading by rows: a row is all that lies under one value of the first index.
 * Memory is what the caller brings, whatever the file's size. Whoever opens it closes it.
 */
export class NpyReader {
  readonly dtype: NpyDtype;
  readonly shape: readonly number[];
  /** First extent of the shape; 1 for a scalar. */
  readonly rowCount: number;
  readonly rowBytes: number;
  readonly #region: FileRegion;
  readonly #dataOffset: number;

  private constructor(region: FileRegion, header: NpyHeader) {
    this.dtype = header.dtype;
    this.shape = header.shape;
    this.rowCount = header.shape[0] ?? 1;
    this.rowBytes = elementCountOf(header.shape.slice(1)) * itemBytesOf(header.dtype);
    this.#region = region;
    this.#dataOffset = header.dataOffset;
  }

  /**
   * Opens a .npy file, or one that is a region of another file, and checks that it has exactly the
   * bytes its header declares.
   *
   * @param what Names the array in messages; the path unless told.
   * @throws ShardpoolError FILE_NOT_FOUND, FILE_UNREADABLE, FILE_CORRUPT or FORMAT_UNSUPPORTED.
   */
  static open(path: string, region?: Region, what = path): NpyReader {
    const file = FileRegion.open(path, region);
    try {
      return new NpyReader(file, readHeader(file, what));
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Fills `out` with rows `rowStart` to `rowStart + rowCount`, in the bytes of the file. */
  readRowBytes(rowStart: number, rowCount: number, out: Uint8Array): void {
    assert.equal(out.length, rowCount * this.rowBytes);
    if (rowStart < 0 || rowStart + rowCount > this.rowCount) {
      throw new RangeError(`rows ${rowStart} to ${rowStart + rowCount} of ${this.rowCount}`);
    }
    this.#region.read(this.#dataOffset + rowStart * this.rowBytes, out);
  }

  /** Fills `out` with the elements' bytes from `position` on, whatever rows they belong to. */
  readBytes(position: number, out: Uint8Array): void {
    this.#region.read(this.#dataOffset + position, out);
  }

  /** Reads the whole array into memory. */
  readAll(): NpyArray {
    const array = zerosOf(this.dtype, this.shape);
    this.readRowBytes(0, this.rowCount, bytesOf(array.data));
    return array;
  }

  /** Closes the file; harmless when it is closed. */
  close(): void {
    this.#region.close();
  }
}

function readHeader(file: FileRegion, what: string): NpyHeader {
  const start = Buffer.alloc(Math.min(PREAMBLE_BYTES, file.bytes));
  file.read(0, start);
  const { textOffset, textBytes } = parsePreamble(start, what);
  const dataOffset = textOffset + textBytes;
  if (dataOffset > file.bytes) {
    throw new ShardpoolError("FILE_CORRUPT", `${what} ends inside its .npy header`);
  }
  const text = Buffer.alloc(textBytes);
  file.read(textOffset, text);
  const header = parseHeaderText(text.toString("latin1"), dataOffset, what);
  const expected = dataOffset + elementCountOf(header.shape) * itemBytesOf(header.dtype);
  if (file.bytes !== expected) {
    throw new ShardpoolError(
      "FILE_CORRUPT",
      `${what} has ${file.bytes} bytes, its header (${header.dtype} [${header.shape.join(", ")}]) wants ${expected}`,
    );
  }
  return header;
}

/** What a written file came to. */
export interface WrittenFile {
  /** In hex. */
  readonly sha256: string;
  readonly bytes: number;
}

/**
 * Writes a .npy file piece by piece and hashes it on the way, so that no second pass is needed. It
 * writes to the path it is given: `writeWhole` around it makes the file appear whole or not at all.
 * Whoever creates it ends it with `finish` or `close`.
 */
export class NpyWriter {
  readonly #handle: FileHandle;
  readonly #hash = createHash("sha256");
  readonly #bytesExpected: number;
  #bytes = 0;

  private constructor(handle: FileHandle, bytesExpected: number) {
    this.#handle = handle;
    this.#bytesExpected = bytesExpected;
  }

  /** @throws ShardpoolError DISK_FULL, WRITE_FAILED or FILE_UNREADABLE. */
  static async create(path: string, dtype: NpyDtype, shape: readonly number[]): Promise<NpyWriter> {
    const header = formatNpyHeader(dtype, shape);
    const handle = await open(path, "w").catch((error: unknown) => {
      throw fromFileError(error, path);
    });
    const dataBytes = elementCountOf(shape) * itemBytesOf(dtype);
    const writer = new NpyWriter(handle, header.length + dataBytes);
    await writer.append(header);
    return writer;
  }

  /**
   * Adds the bytes of the next elements, any number of them; 64 KiB and more a call is fast. The
   * caller may change `bytes` again once the promise is fulfilled.
   *
   * @throws RangeError when that is more than the shape holds.
   */
  async append(bytes: Uint8Array): Promise<void> {
    this.#bytes += bytes.length;
    if (this.#bytes > this.#bytesExpected) {
      throw new RangeError(`${this.#bytes} bytes for a file of ${this.#bytesExpected}`);
    }
    this.#hash.update(bytes);
    await this.#handle.writeFile(bytes);
  }

  /**
   * Puts the file on disk and closes it.
   *
   * @throws RangeError when elements are missing.
   */
  async finish(): Promise<WrittenFile> {
    if (this.#bytes !== this.#bytesExpected) {
      throw new RangeError(`${this.#bytes} bytes for a file of ${this.#bytesExpected}`);
    }
    await this.#handle.sync();
    await this.#handle.close();
    return { sha256: this.#hash.digest("hex"), bytes: this.#bytes };
  }

  /** Closes the file as it is; harmless after `finish`. */
  async close(): Promise<void> {
    await this.#handle.close();
  }
}
