import type { Dtype } from "../../../lib/model/dtype.js";
import type { ModelFeature } from "../../../lib/model/manifest.js";
import {
  type ModelDescription,
  type ModelWriter,
  type WrittenModel,
  writeModel,
} from "../../../lib/model/model-writer.js";
import { type ComputedGolden, computeGolden } from "../compute-golden.js";
import { type ImportFlags, type ImportSource, openImportSource } from "./import-source.js";
import { importTable } from "./import-tables.js";
import { measureQuantisation, type QuantisationError } from "./quantisation-error.js";

export interface ImportOptions extends ImportFlags {
  readonly from: string;
  readonly name: string;
  readonly out: string;
  readonly dtype: Dtype;
  readonly outOfRange: Exclude<ModelFeature["outOfRange"], "default">;
  /** Largest difference of a served probability from the recorded one, absolute. */
  readonly tolerance: number;
  /** Called once the source has been read, before rows are written. */
  readonly onStart: (rowCount: number) => void;
  readonly onRows: (rowCount: number) => void;
}

export interface ImportedModel extends WrittenModel {
  readonly golden: ComputedGolden;
  /** Null for float32 rows, which are stored as they are. */
  readonly quantisation: QuantisationError | null;
  /** Tensors of the source that the model does not need. */
  readonly unused: readonly string[];
}

/**
 * Makes a model directory of a trained model, whole or not at all. Tables are streamed; memory is the
 * dense part and a few megabytes, except for tables inside an ONNX file, which is read whole.
 *
 * @throws ShardpoolError FORMAT_UNSUPPORTED, FILE_CORRUPT or MODEL_INVALID for a source that cannot be
 * imported, GOLDEN_MISMATCH, OUTPUT_EXISTS, DISK_FULL.
 */
export async function importModel(options: ImportOptions): Promise<ImportedModel> {
  const source = await openImportSource(options.from, options);
  try {
    const description = describe(source, options);
    options.onStart(description.tables.reduce((sum, { rowCount }) => sum + rowCount, 0));
    let golden: ComputedGolden | undefined;
    let quantisation: QuantisationError | null = null;
    const fill = async (writer: ModelWriter): Promise<void> => {
      for (const table of source.tables) await importTable(table, writer, options.onRows);
      await writer.writeDense(source.dense);
      const dense = { path: writer.densePath, weights: source.weights };
      golden = await computeGolden(description, writer, dense);
      await writer.writeGolden(golden.golden);
      if (options.dtype === "float32") return;
      const { densePath } = writer;
      quantisation = await measureQuantisation(description, writer, source.tables, densePath);
    };
    const written = await writeModel(options.out, description, fill, { replace: false });
    return { ...written, golden: golden!, quantisation, unused: source.unused };
  } finally {
    source.close();
  }
}

function describe(source: ImportSource, options: ImportOptions): ModelDescription {
  return {
    name: options.name,
    version: "1",
    denseFeatureCount: source.denseFeatureCount,
    tables: source.tables.map(({ name, weight }) => ({
      name,
      rowCount: weight.shape[0]!,
      embeddingDim: weight.shape[1]!,
      dtype: options.dtype,
    })),
    features: source.features.map((feature) => ({ ...feature, outOfRange: options.outOfRange })),
    interaction: source.interaction,
    tolerance: options.tolerance,
  };
}
