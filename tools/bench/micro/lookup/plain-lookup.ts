import type { Model } from "../../../../lib/model/model-directory.js";
import { decodeRows } from "../../../../lib/model/row-codec.js";
import type { LookupRequest } from "../../../../shards/index.js";

/** Stored bytes decoded at a time. */
const READ_BYTES = 4 << 20;

/** Every table of a model as float32, `[rowCount][embeddingDim]` each. */
export function loadDecodedTables(model: Model): Float32Array[] {
  return model.manifest.tables.map(({ name, dtype, rowCount, embeddingDim }) => {
    const reader = model.openTable(name);
    try {
      const decoded = new Float32Array(rowCount * embeddingDim);
      const rowsPerRead = Math.max(1, Math.floor(READ_BYTES / reader.rowBytes));
      const bytes = new Uint8Array(rowsPerRead * reader.rowBytes);
      for (let row = 0; row < rowCount; row += rowsPerRead) {
        const count = Math.min(rowsPerRead, rowCount - row);
        const chunk = bytes.subarray(0, count * reader.rowBytes);
        reader.readRowBytes(row, count, chunk);
        const out = decoded.subarray(row * embeddingDim, (row + count) * embeddingDim);
        decodeRows(dtype, embeddingDim, chunk, out);
      }
      return decoded;
    } finally {
      reader.close();
    }
  });
}

/**
 * The plain loop over rows in memory: the arithmetic of `LookupEngine.lookup` without its kernels,
 * index or cache. Partition t is `tables[t]`, whole.
 */
export function plainLookup(
  tables: readonly Float32Array[],
  embeddingDim: number,
  { sampleCount, segments }: LookupRequest,
): Float32Array {
  const pooled = new Float32Array(segments.length * sampleCount * embeddingDim);
  let out = 0;
  for (const { partition, lengths, values } of segments) {
    const table = tables[partition]!;
    let at = 0;
    for (let bag = 0; bag < lengths.length; bag++) {
      for (const end = at + lengths[bag]!; at < end; at++) {
        const row = values[at]! * embeddingDim;
        // A Float32Array rounds what it is given, so this is a float32 sum.
        for (let c = 0; c < embeddingDim; c++) pooled[out + c]! += table[row + c]!;
      }
      out += embeddingDim;
    }
  }
  return pooled;
}
