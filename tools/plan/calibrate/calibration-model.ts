import { type DenseWeights, interactionWidthOf } from "../../../lib/model/dense-weights.js";
import { DTYPES, type Dtype, rowBytesOf } from "../../../lib/model/dtype.js";
import { type ModelDescription, writeModel } from "../../../lib/model/model-writer.js";
import { encodeRows } from "../../../lib/model/row-codec.js";
import { writeDenseOnnx } from "../../../lib/onnx/dense-onnx-writer.js";
import { Random } from "../../../lib/random.js";

/** Row widths that are measured; between them the planner draws straight lines. */
export const CALIBRATED_DIMS = [16, 64, 128] as const;

/** Rows a table: 51 MB at the widest, beyond any cache of the processor. */
export const CALIBRATION_ROWS = 100_000;

/** Rows that are written again and again: what is in them costs nothing. */
const DRAWN_ROWS = 2000;

const DENSE_FEATURES = 4;

/** The table of a dtype and a width. */
export function calibrationTableOf(dtype: Dtype, embeddingDim: number): string {
  return `${dtype}-${embeddingDim}`;
}

/** Writes a model with a table for every dtype and calibrated width. */
export async function writeCalibrationModel(dir: string, rowCount: number): Promise<void> {
  const tables = DTYPES.flatMap((dtype) =>
    CALIBRATED_DIMS.map((embeddingDim) => ({
      name: calibrationTableOf(dtype, embeddingDim),
      ...{ rowCount, embeddingDim, dtype },
    })),
  );
  const description: ModelDescription = {
    ...{ name: "calibration", version: "1", denseFeatureCount: DENSE_FEATURES, tables },
    features: tables.map(({ name }) => ({
      ...{ name, table: name, pooling: "sum", outOfRange: "error" },
    })),
    ...{ interaction: "cat", tolerance: 1e-6 },
  };
  const embeddingDims = tables.map((table) => table.embeddingDim);
  await writeModel(dir, description, async (writer) => {
    for (const { name, dtype, embeddingDim } of tables) {
      const table = await writer.createTable(name);
      const bytes = drawRows(dtype, embeddingDim);
      const rowBytes = rowBytesOf(dtype, embeddingDim);
      for (let start = 0; start < rowCount; start += DRAWN_ROWS) {
        const rows = Math.min(DRAWN_ROWS, rowCount - start);
        await table.append(bytes.subarray(0, rows * rowBytes));
      }
      await table.finish();
    }
    await writer.writeDense(writeDenseOnnx(drawDenseWeights("cat", 8, embeddingDims, [8], [8])));
    // No frontend loads this model, so its one golden request is a sample without ids.
    await writer.writeGolden({
      sampleCount: 1,
      denseFeatures: new Float32Array(DENSE_FEATURES),
      batch: {
        featureCount: tables.length,
        sampleCount: 1,
        lengths: new Int32Array(tables.length),
        values: new Int32Array(0),
      },
      pooled: new Float32Array(embeddingDims.reduce((sum, dim) => sum + dim, 0)),
      probability: new Float32Array(1),
    });
  });
}

/** Weights of a dense part of a shape, for timing it. */
export function drawDenseWeights(
  interaction: "cat" | "dot",
  bottomWidth: number,
  embeddingDims: readonly number[],
  bottomHidden: readonly number[],
  topHidden: readonly number[],
  denseFeatureCount: number = DENSE_FEATURES,
): DenseWeights {
  const random = new Random(1, "calibration dense part");
  const layersOf = (widths: readonly number[]): DenseWeights["topMlp"] =>
    widths.slice(1).map((outputWidth, i) => {
      const inputWidth = widths[i]!;
      return {
        ...{ inputWidth, outputWidth },
        weight: Float32Array.from({ length: inputWidth * outputWidth }, () => random.nextNormal()),
        bias: new Float32Array(outputWidth),
      };
    });
  const topInput = interactionWidthOf(interaction, bottomWidth, embeddingDims);
  return {
    ...{ interaction, embeddingDims: [...embeddingDims] },
    bottomMlp: layersOf([denseFeatureCount, ...bottomHidden, bottomWidth]),
    topMlp: layersOf([topInput, ...topHidden, 1]),
  };
}

function drawRows(dtype: Dtype, embeddingDim: number): Uint8Array {
  const random = new Random(1, `calibration ${dtype} ${embeddingDim}`);
  const values = Float32Array.from(
    { length: DRAWN_ROWS * embeddingDim },
    () => random.nextFloat() - 0.5,
  );
  const bytes = new Uint8Array(DRAWN_ROWS * rowBytesOf(dtype, embeddingDim));
  encodeRows(dtype, embeddingDim, values, bytes);
  return bytes;
}
