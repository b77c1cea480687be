import { readFileSync } from "node:fs";
import { ShardpoolError } from "../../../lib/errors.js";
import { type Dtype, rowBytesOf } from "../../../lib/model/dtype.js";
import { type Model, openModel } from "../../../lib/model/model-directory.js";
import {
  type ModelDescription,
  type ModelWriter,
  type WrittenModel,
  writeModel,
} from "../../../lib/model/model-writer.js";
import { readDenseWeights } from "../../../lib/onnx/dense-onnx-reader.js";
import { type ClickLog, openClickLog } from "../../clicks/click-log-reader.js";
import { computeGolden } from "../compute-golden.js";
import { lossOnClicks, lossOnDrawnRequests, type QuantisationLoss } from "./quantisation-loss.js";
import { quantiseTable } from "./quantise-table.js";

export interface QuantiseOptions {
  readonly modelDir: string;
  readonly dtype: Exclude<Dtype, "float32">;
  readonly out: string;
  /** Name of the new model; the old one's and the dtype unless told. */
  readonly name?: string | undefined;
  /** Click log on which the loss is measured; requests drawn as golden ones are, unless told. */
  readonly clicksFile?: string | undefined;
  /** Called once the inputs have been checked, before rows are written. */
  readonly onStart: (rowCount: number) => void;
  readonly onRows: (rowCount: number) => void;
  /** Called when all rows are written and the loss is being measured. */
  readonly onMeasure: () => void;
}

export interface QuantisedModel extends WrittenModel {
  readonly loss: QuantisationLoss;
  /** Of the tables' rows. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/**
 * Makes a new model of the same tables in fewer bits, whole or not at all: its own golden answers, its
 * own hash. Rows are streamed; memory does not grow with the tables while they are written.
 *
 * @throws ShardpoolError MODEL_INVALID for a table that is quantised already or a row the dtype cannot
 * hold; CLICKS_INVALID for a log of another model; OUTPUT_EXISTS, DISK_FULL, and what `openModel` throws.
 */
export async function quantiseModel(options: QuantiseOptions): Promise<QuantisedModel> {
  const source = await openModel(options.modelDir);
  const description = describe(source, options);
  const log = await openLog(source, options.clicksFile);
  try {
    options.onStart(description.tables.reduce((sum, { rowCount }) => sum + rowCount, 0));
    let loss: QuantisationLoss | undefined;
    const fill = async (writer: ModelWriter): Promise<void> => {
      await writeTables(source, writer, options.onRows);
      await writer.writeDense(readFileSync(source.densePath));
      const dense = { path: writer.densePath, weights: weightsOf(source) };
      await writer.writeGolden((await computeGolden(description, writer, dense)).golden);
      options.onMeasure();
      loss = log
        ? await lossOnClicks(source, writer, log)
        : await lossOnDrawnRequests(source, writer);
    };
    const written = await writeModel(options.out, description, fill, { replace: false });
    return {
      ...written,
      loss: loss!,
      bytesBefore: rowBytesIn(source.manifest.tables),
      bytesAfter: rowBytesIn(description.tables),
    };
  } finally {
    await log?.close();
  }
}

function describe({ manifest }: Model, { dtype, name }: QuantiseOptions): ModelDescription {
  const { formatVersion: _version, files: _files, tables, ...rest } = manifest;
  const quantised = tables.find((table) => table.dtype === "int8" || table.dtype === "int4");
  if (quantised !== undefined) {
    throw new ShardpoolError(
      "MODEL_INVALID",
      `table ${quantised.name} is ${quantised.dtype} already; quantise the model it was made from`,
    );
  }
  return {
    ...rest,
    name: name ?? `${manifest.name}-${dtype}`,
    tables: tables.map((table) => ({ ...table, dtype })),
  };
}

async function openLog(source: Model, path: string | undefined): Promise<ClickLog | undefined> {
  if (path === undefined) return undefined;
  return await openClickLog(path, { manifest: source.manifest });
}

async function writeTables(
  source: Model,
  writer: ModelWriter,
  onRows: (rowCount: number) => void,
): Promise<void> {
  for (const { name } of source.manifest.tables) {
    const table = source.openTable(name);
    try {
      await quantiseTable(table, writer, onRows);
    } finally {
      table.close();
    }
  }
}

/** An imported graph has nodes that the oracle does not know. */
function weightsOf({ manifest, densePath }: Model) {
  if (manifest.interaction === "imported") return undefined;
  return readDenseWeights(readFileSync(densePath), densePath);
}

function rowBytesIn(tables: ModelDescription["tables"]): number {
  return tables.reduce(
    (sum, { rowCount, dtype, embeddingDim }) => sum + rowCount * rowBytesOf(dtype, embeddingDim),
    0,
  );
}
