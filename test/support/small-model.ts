import { DTYPES, rowBytesOf } from "../../lib/model/dtype.js";
import type { GoldenRequests } from "../../lib/model/golden.js";
import type { ModelTable } from "../../lib/model/manifest.js";
import {
  type ModelDescription,
  type ModelWriter,
  type WrittenModel,
  writeModel,
} from "../../lib/model/model-writer.js";
import { encodeRows } from "../../lib/model/row-codec.js";

export const SMALL_DIM = 4;

/** One table of each dtype, 5 rows and more, and one feature on each. */
export const SMALL_MODEL: ModelDescription = {
  name: "small",
  version: "1",
  denseFeatureCount: 2,
  tables: DTYPES.map((dtype, index) => ({
    name: dtype,
    rowCount: 5 + index,
    embeddingDim: SMALL_DIM,
    dtype,
  })),
  features: DTYPES.map((dtype) => ({
    name: `f_${dtype}`,
    table: dtype,
    pooling: "sum",
    outOfRange: "error",
  })),
  interaction: "dot",
  tolerance: 1e-6,
};

/** Two samples; shapes that fit `SMALL_MODEL`, answers that nothing computed. */
export const SMALL_GOLDEN: GoldenRequests = {
  sampleCount: 2,
  denseFeatures: Float32Array.of(1, 2, 3, 4),
  batch: {
    featureCount: 4,
    sampleCount: 2,
    lengths: Int32Array.of(1, 2, 0, 1, 3, 0, 1, 1),
    values: Int32Array.of(4, 0, 1, 5, 6, 6, 0, 7, 2),
  },
  pooled: Float32Array.from({ length: 2 * 4 * SMALL_DIM }, (_, i) => i),
  logit: Float32Array.of(0, 1),
  probability: Float32Array.of(0.5, 0.73105858),
};

/** Makes a model directory whose files are all there; its `dense.onnx` is no graph. */
export async function writeSmallModel(
  dir: string,
  description: ModelDescription = SMALL_MODEL,
  golden: GoldenRequests = SMALL_GOLDEN,
): Promise<WrittenModel> {
  return await writeModel(dir, description, async (writer) => {
    for (const table of description.tables) await writeSmallTable(writer, table);
    await writer.writeDense(Uint8Array.of(1, 2, 3));
    await writer.writeGolden(golden);
  });
}

/** Writes a table of `smallValue`s, a row at a time. */
export async function writeSmallTable(writer: ModelWriter, table: ModelTable): Promise<void> {
  const tableWriter = await writer.createTable(table.name);
  const values = new Float32Array(table.embeddingDim);
  const bytes = new Uint8Array(rowBytesOf(table.dtype, table.embeddingDim));
  for (let row = 0; row < table.rowCount; row++) {
    for (let column = 0; column < values.length; column++) values[column] = smallValue(row, column);
    encodeRows(table.dtype, table.embeddingDim, values, bytes);
    await tableWriter.append(bytes);
  }
  await tableWriter.finish();
}

/** Row r holds r, r + 5, r + 10, r + 15: exact in every dtype. */
export function smallValue(row: number, column: number): number {
  return row + 5 * column;
}
