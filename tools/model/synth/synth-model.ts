import { type Dtype, rowBytesOf } from "../../../lib/model/dtype.js";
import {
  type ModelDescription,
  type ModelWriter,
  type WrittenModel,
  writeModel,
} from "../../../lib/model/model-writer.js";
import { encodeRows } from "../../../lib/model/row-codec.js";
import { writeDenseOnnx } from "../../../lib/onnx/dense-onnx-writer.js";
import { computeGolden } from "../compute-golden.js";
import type { ModelPreset } from "./presets.js";
import { SynthRows } from "./synth-rows.js";
import { synthWeights } from "./synth-weights.js";

export interface SynthModelOptions {
  readonly preset: ModelPreset;
  readonly name: string;
  readonly seed: number;
  readonly dtype: Dtype;
  readonly out: string;
  /** Called with the number of rows written since the last call. */
  readonly onRows: (rowCount: number) => void;
}

/** Float32 values made at a time. */
const CHUNK_VALUES = 1 << 20;
/** Deviation of a pooled vector's values: dot products of a few, not of hundreds. */
const POOLED_DEVIATION = 0.5;

/**
 * Makes a model directory of the preset's shape, whole or not at all. Memory does not grow with the
 * tables; the same seed gives the same bytes.
 *
 * @throws ShardpoolError OUTPUT_EXISTS, DISK_FULL, WRITE_FAILED.
 */
export async function synthModel(options: SynthModelOptions): Promise<WrittenModel> {
  const { preset, seed, out } = options;
  const description = describe(options);
  const rows = description.tables.map(({ name }, t) => {
    const deviation = POOLED_DEVIATION / Math.sqrt(preset.poolingFactors[t]!);
    return new SynthRows(seed, name, preset.embeddingDim, deviation);
  });
  const weights = synthWeights(preset, rows, seed);
  const fill = async (writer: ModelWriter): Promise<void> => {
    for (const [t, source] of rows.entries()) {
      await writeTable(writer, description.tables[t]!.name, source, options.onRows);
    }
    await writer.writeDense(writeDenseOnnx(weights));
    const dense = { path: writer.densePath, weights };
    const { golden } = await computeGolden(description, writer, dense);
    await writer.writeGolden(golden);
  };
  return writeModel(out, description, fill);
}

function describe({ preset, name, dtype }: SynthModelOptions): ModelDescription {
  return {
    name,
    version: "1",
    denseFeatureCount: preset.denseFeatureCount,
    tables: preset.rowCounts.map((rowCount, t) => ({
      name: `table_${t}`,
      rowCount,
      embeddingDim: preset.embeddingDim,
      dtype,
    })),
    features: preset.rowCounts.map((_, t) => ({
      name: `feature_${t}`,
      table: `table_${t}`,
      pooling: "sum",
      outOfRange: "error",
      poolingFactor: preset.poolingFactors[t]!,
    })),
    interaction: preset.interaction,
    tolerance: 1e-6,
  };
}

async function writeTable(
  writer: ModelWriter,
  name: string,
  rows: SynthRows,
  onRows: (rowCount: number) => void,
): Promise<void> {
  const out = await writer.createTable(name);
  const { dtype, embeddingDim, rowCount } = out.table;
  const chunkRows = Math.max(1, Math.floor(CHUNK_VALUES / embeddingDim));
  const values = new Float32Array(Math.min(chunkRows, rowCount) * embeddingDim);
  const encoded = new Uint8Array(Math.min(chunkRows, rowCount) * rowBytesOf(dtype, embeddingDim));
  for (let start = 0; start < rowCount; start += chunkRows) {
    const count = Math.min(chunkRows, rowCount - start);
    const chunk = values.subarray(0, count * embeddingDim);
    rows.fill(start, chunk);
    const bytes = encoded.subarray(0, count * rowBytesOf(dtype, embeddingDim));
    if (dtype === "float32") bytes.set(new Uint8Array(chunk.buffer, 0, bytes.length));
    else encodeRows(dtype, embeddingDim, chunk, bytes, start);
    await out.append(bytes);
    onRows(count);
  }
  await out.finish();
}
