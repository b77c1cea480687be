import type { JaggedBatch } from "../../lib/jagged-batch.js";
import { pooledWidthOf } from "../../lib/model/manifest.js";
import type { Model } from "../../lib/model/model-directory.js";

/**
 * Σ|row| of every pooled value, `[B, ΣE]`, weights included and means divided: what the rounding of a
 * sum in another order is measured by.
 */
export function absoluteSums(model: Model, batch: JaggedBatch): Float64Array {
  const { manifest } = model;
  const width = pooledWidthOf(manifest);
  const sums = new Float64Array(batch.sampleCount * width);
  let position = 0;
  let column = 0;
  for (const [f, { table, pooling }] of manifest.features.entries()) {
    const reader = model.openTable(table);
    const dim = reader.table.embeddingDim;
    for (let sample = 0; sample < batch.sampleCount; sample++) {
      const length = batch.lengths[f * batch.sampleCount + sample]!;
      const rows = new Float32Array(length * dim);
      reader.readRows(batch.values.subarray(position, position + length), rows);
      const start = sample * width + column;
      for (let i = 0; i < rows.length; i++) {
        const weight = batch.weights?.[position + Math.floor(i / dim)] ?? 1;
        const part = pooling === "mean" ? 1 / length : 1;
        sums[start + (i % dim)]! += Math.abs(rows[i]! * weight) * part;
      }
      position += length;
    }
    column += dim;
    reader.close();
  }
  return sums;
}
