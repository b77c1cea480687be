import { ShardpoolError } from "../../../lib/errors.js";
import { rowBytesOf } from "../../../lib/model/dtype.js";
import type { ModelWriter } from "../../../lib/model/model-writer.js";
import { decodeRows, encodeRows } from "../../../lib/model/row-codec.js";
import type { TableReader } from "../../../lib/model/table-reader.js";

/** Float32 bytes held at a time. */
const CHUNK_BYTES = 4 * 1024 * 1024;

/**
 * Writes a table's rows in the dtype the new model gives it, piece by piece. A row is quantised whole
 * and for itself, so no plan can change an answer.
 *
 * @param onRows Called with the number of rows written, as it goes.
 * @throws ShardpoolError MODEL_INVALID naming table and row, when the dtype cannot hold its values.
 */
export async function quantiseTable(
  source: TableReader,
  writer: ModelWriter,
  onRows: (rowCount: number) => void,
): Promise<void> {
  const { name, rowCount, embeddingDim, dtype } = source.table;
  const out = await writer.createTable(name);
  const target = out.table.dtype;
  const rowsMax = Math.min(rowCount, Math.max(1, Math.floor(CHUNK_BYTES / (embeddingDim * 4))));
  const stored = new Uint8Array(rowsMax * source.rowBytes);
  const values = new Float32Array(rowsMax * embeddingDim);
  const encoded = new Uint8Array(rowsMax * rowBytesOf(target, embeddingDim));
  for (let start = 0; start < rowCount; start += rowsMax) {
    const count = Math.min(rowsMax, rowCount - start);
    const from = stored.subarray(0, count * source.rowBytes);
    const rows = values.subarray(0, count * embeddingDim);
    const to = encoded.subarray(0, count * rowBytesOf(target, embeddingDim));
    source.readRowBytes(start, count, from);
    decodeRows(dtype, embeddingDim, from, rows);
    encodeTableRows(name, target, embeddingDim, rows, to, start);
    await out.append(to);
    onRows(count);
  }
  await out.finish();
}

/** The codec names the row; a model has many tables. */
function encodeTableRows(table: string, ...args: Parameters<typeof encodeRows>): void {
  try {
    encodeRows(...args);
  } catch (error) {
    if (!(error instanceof ShardpoolError)) throw error;
    throw new ShardpoolError(error.code, `table ${table}: ${error.detail}`, { cause: error });
  }
}
