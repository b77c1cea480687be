import { rowBytesOf } from "../../../lib/model/dtype.js";
import type { ModelWriter } from "../../../lib/model/model-writer.js";
import { encodeRows } from "../../../lib/model/row-codec.js";
import { readTensorPart, STATE_ITEM_BYTES } from "./state-dict.js";
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
  const chunkRows = Math.max(1, Math.floor(CHUNK_BYTES / (embeddingDim * 4)));
  for (let start = 0; start < rowCount; start += chunkRows) {
    const count = Math.min(chunkRows, rowCount - start);
    const rows = new Float32Array(count * embeddingDim);
    readSourceRows(table, start, rows);
    const encoded = new Uint8Array(count * rowBytesOf(dtype, embeddingDim));
    encodeRows(dtype, embeddingDim, rows, encoded, start);
    await out.append(encoded);
    onRows(count);
  }
  await out.finish();
}

/** Reads whole rows from `rowStart` on as float32, as many as fill `out`, weights multiplied in. */
export function readSourceRows(
  { weight, rowWeights }: TableTensors,
  rowStart: number,
  out: Float32Array,
): void {
  const embeddingDim = weight.shape[1]!;
  const rawRowBytes = embeddingDim * STATE_ITEM_BYTES[weight.dtype];
  const raw = new Uint8Array((out.length / embeddingDim) * rawRowBytes);
  weight.readBytes(rowStart * rawRowBytes, raw);
  toFloat32(weight.dtype, raw, out);
  if (rowWeights === undefined) return;
  const rowCount = out.length / embeddingDim;
  scaleRows(out, embeddingDim, readTensorPart(rowWeights, rowStart, rowCount));
}

function scaleRows(rows: Float32Array, embeddingDim: number, rowWeights: Float32Array): void {
  for (let row = 0; row < rowWeights.length; row++) {
    const weight = rowWeights[row]!;
    const end = (row + 1) * embeddingDim;
    for (let i = row * embeddingDim; i < end; i++) rows[i] = rows[i]! * weight;
  }
}
