import { rowBytesOf } from "../../../lib/model/dtype.js";
import type { ModelWriter } from "../../../lib/model/model-writer.js";
import { encodeRows } from "../../../lib/model/row-codec.js";
import { readTensor, STATE_ITEM_BYTES } from "./state-dict.js";
import { toFloat32 } from "./state-float32.js";
import type { TableTensors } from "./state-names.js";

/** Bytes of float32 rows converted at a time: large enough to stream, small beside any process. */
const CHUNK_BYTES = 4 * 1024 * 1024;

/**
 * Copies an embedding table from a state dict to a model, piece by piece, in the dtype the model's
 * manifest gives it. Per-row weights are multiplied in: a bag's weighted sum of rows is then its plain
 * sum of weighted rows.
 *
 * @param onRows Called with the number of rows written, as it goes.
 */
export async function importTable(
  table: TableTensors,
  writer: ModelWriter,
  onRows: (rowCount: number) => void,
): Promise<void> {
  const [rowCount, embeddingDim] = table.weight.shape as readonly [number, number];
  const out = await writer.createTable(table.name);
  const { dtype } = out.table;
  const rowWeights = table.rowWeights && readTensor(table.rowWeights);
  const chunkRows = Math.max(1, Math.floor(CHUNK_BYTES / (embeddingDim * 4)));
  const rawRowBytes = embeddingDim * STATE_ITEM_BYTES[table.weight.dtype];
  for (let start = 0; start < rowCount; start += chunkRows) {
    const count = Math.min(chunkRows, rowCount - start);
    const raw = new Uint8Array(count * rawRowBytes);
    table.weight.readBytes(start * rawRowBytes, raw);
    const rows = new Float32Array(count * embeddingDim);
    toFloat32(table.weight.dtype, raw, rows);
    if (rowWeights) scaleRows(rows, embeddingDim, rowWeights.subarray(start, start + count));
    const encoded = new Uint8Array(count * rowBytesOf(dtype, embeddingDim));
    encodeRows(dtype, embeddingDim, rows, encoded, start);
    await out.append(encoded);
    onRows(count);
  }
  await out.finish();
}

function scaleRows(rows: Float32Array, embeddingDim: number, rowWeights: Float32Array): void {
  for (let row = 0; row < rowWeights.length; row++) {
    const weight = rowWeights[row]!;
    const end = (row + 1) * embeddingDim;
    for (let i = row * embeddingDim; i < end; i++) rows[i] = rows[i]! * weight;
  }
}
