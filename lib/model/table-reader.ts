import assert from "node:assert/strict";
import { ShardpoolError } from "../errors.js";
import type { NpyDtype } from "../npy/npy-dtype.js";
import { NpyReader } from "../npy/npy-file.js";
import { type Dtype, rowBytesOf } from "./dtype.js";
import type { ModelTable } from "./manifest.js";
import { decodeRows } from "./row-codec.js";

/** How a table lies in its .npy file: `[rowCount, columns]`. Quantised rows are runs of bytes. */
export function npyLayoutOf(table: ModelTable): { dtype: NpyDtype; shape: [number, number] } {
  const dtype = NPY_DTYPE_BY_DTYPE[table.dtype];
  const columns =
    dtype === "|u1" ? rowBytesOf(table.dtype, table.embeddingDim) : table.embeddingDim;
  return { dtype, shape: [table.rowCount, columns] };
}

const NPY_DTYPE_BY_DTYPE: Readonly<Record<Dtype, NpyDtype>> = {
  float32: "<f4",
  float16: "<f2",
  int8: "|u1",
  int4: "|u1",
};

/**
 * A table's file, open for reading rows. Reads are synchronous and take no memory beyond the
 * caller's. Whoever opens it closes it.
 */
export class TableReader {
  readonly table: ModelTable;
  readonly rowBytes: number;
  readonly #npy: NpyReader;
  readonly #rowScratch: Uint8Array;

  private constructor(table: ModelTable, npy: NpyReader) {
    this.table = table;
    this.rowBytes = npy.rowBytes;
    this.#npy = npy;
    this.#rowScratch = new Uint8Array(npy.rowBytes);
  }

  /**
   * Opens a table's file and checks its header against the manifest.
   *
   * @throws ShardpoolError FILE_NOT_FOUND, FILE_UNREADABLE, FORMAT_UNSUPPORTED; FILE_CORRUPT when
   *   the file is not the one the manifest describes.
   */
  static open(path: string, table: ModelTable): TableReader {
    const npy = NpyReader.open(path, undefined, `table ${table.name} (${path})`);
    const wanted = npyLayoutOf(table);
    if (npy.dtype !== wanted.dtype || npy.shape.join() !== wanted.shape.join()) {
      npy.close();
      throw new ShardpoolError(
        "FILE_CORRUPT",
        `table ${table.name} (${path}) is ${npy.dtype} [${npy.shape.join(", ")}], the manifest wants ${wanted.dtype} [${wanted.shape.join(", ")}]`,
      );
    }
    return new TableReader(table, npy);
  }

  /**
   * Fills `out` with the stored bytes of rows `rowStart` to `rowStart + rowCount`.
   *
   * @throws RangeError when they are not all in the table.
   */
  readRowBytes(rowStart: number, rowCount: number, out: Uint8Array): void {
    this.#npy.readRowBytes(rowStart, rowCount, out);
  }

  /**
   * Copies row `rowIds[i]`, decoded, to `out` from `i * embeddingDim` on. Ids may repeat. One read a
   * row: for oracles and tools, not for serving.
   *
   * @throws RangeError when a row is not in the table.
   */
  readRows(rowIds: Int32Array, out: Float32Array): void {
    const { dtype, embeddingDim } = this.table;
    assert.equal(out.length, rowIds.length * embeddingDim);
    for (let i = 0; i < rowIds.length; i++) {
      this.#npy.readRowBytes(rowIds[i]!, 1, this.#rowScratch);
      const row = out.subarray(i * embeddingDim, (i + 1) * embeddingDim);
      decodeRows(dtype, embeddingDim, this.#rowScratch, row);
    }
  }

  /** Closes the file; harmless when it is closed. */
  close(): void {
    this.#npy.close();
  }
}
