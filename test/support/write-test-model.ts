import type { JaggedBatch } from "../../lib/jagged-batch.js";
import type { DenseWeights } from "../../lib/model/dense-weights.js";
import { denseFeatureCountOf } from "../../lib/model/dense-weights.js";
import { rowBytesOf } from "../../lib/model/dtype.js";
import type { ModelFeature, ModelTable } from "../../lib/model/manifest.js";
import { type Model, openModel } from "../../lib/model/model-directory.js";
import { type ModelWriter, writeModel } from "../../lib/model/model-writer.js";
import { referenceForward, referencePooled } from "../../lib/model/reference-forward.js";
import { encodeRows } from "../../lib/model/row-codec.js";
import { writeDenseOnnx } from "../../lib/onnx/dense-onnx-writer.js";

export interface TestModelParts {
  readonly tables: readonly ModelTable[];
  readonly features: readonly ModelFeature[];
  /** Rows by table name, `[rowCount, embeddingDim]`. */
  readonly rows: ReadonlyMap<string, Float32Array>;
  readonly weights: DenseWeights;
  /** The golden requests; their answers are the reference's. */
  readonly dense: Float32Array;
  readonly batch: JaggedBatch;
}

/** Writes a whole model directory from parts that fit memory, and opens it. */
export async function writeTestModel(dir: string, parts: TestModelParts): Promise<Model> {
  const { tables, features, weights } = parts;
  await writeModel(
    dir,
    {
      name: "test",
      version: "1",
      denseFeatureCount: denseFeatureCountOf(weights),
      tables,
      features,
      interaction: weights.interaction,
      tolerance: 1e-6,
    },
    async (writer) => {
      for (const table of tables) await writeTable(writer, table, parts.rows.get(table.name)!);
      await writer.writeDense(writeDenseOnnx(weights));
      await writer.writeGolden(goldenOf(writer, parts));
    },
  );
  return await openModel(dir);
}

async function writeTable(
  writer: ModelWriter,
  { name, dtype, embeddingDim, rowCount }: ModelTable,
  rows: Float32Array,
): Promise<void> {
  const bytes = new Uint8Array(rowCount * rowBytesOf(dtype, embeddingDim));
  encodeRows(dtype, embeddingDim, rows, bytes);
  const table = await writer.createTable(name);
  await table.append(bytes);
  await table.finish();
}

function goldenOf(writer: ModelWriter, { weights, dense, batch }: TestModelParts) {
  const { sampleCount } = batch;
  const { pooled } = referencePooled(writer, batch);
  const answers = referenceForward(weights, dense, pooled, sampleCount);
  return { sampleCount, denseFeatures: dense, batch, pooled, ...answers };
}
