import type { RecordBatch, Schema } from "apache-arrow";
import { type ArrowFile, openArrowFile } from "../../lib/arrow/arrow-file-reader.js";
import { ShardpoolError } from "../../lib/errors.js";
import { hashManifest, type ModelManifest } from "../../lib/model/manifest.js";
import type { BagColumn, ClickBatch } from "./click-batch.js";
import {
  type ClickLogHeader,
  type ClickLogShape,
  FIXED_COLUMNS,
  readClickLogHeader,
  WEIGHTS_SUFFIX,
} from "./click-log-schema.js";
import { ColumnReader } from "./column-reader.js";

/** An open click log; the caller closes it. */
export interface ClickLog {
  readonly path: string;
  readonly header: ClickLogHeader;
  readonly shape: ClickLogShape;
  /** Record batches of the file. */
  readonly batchCount: number;
  /**
   * Reads the samples in order, a record batch at a time. Arrays are views of the bytes read and
   * are the caller's to keep. May be called again to start over.
   *
   * @throws ShardpoolError FILE_CORRUPT, CLICKS_INVALID.
   */
  batches(): AsyncGenerator<ClickBatch>;
  close(): Promise<void>;
}

export interface OpenClickLogOptions {
  /** The model whose features the log must have, in any order; they are given in the model's. */
  readonly manifest?: ModelManifest;
  /** Accepts a log made for another model with the same features, such as before quantising. */
  readonly acceptOtherHash?: boolean;
}

/**
 * Opens a click log.
 *
 * @throws ShardpoolError CLICKS_INVALID when its columns are not a click log's, or belong to another
 * model; FILE_CORRUPT when it is truncated; FILE_NOT_FOUND; FORMAT_UNSUPPORTED.
 */
export async function openClickLog(
  path: string,
  options: OpenClickLogOptions = {},
): Promise<ClickLog> {
  const file = await openArrowFile(path);
  try {
    const header = readClickLogHeader(file.schema);
    const found = shapeOf(file.schema, path);
    const shape = options.manifest ? matchModel(path, found, header, options) : found;
    return {
      path,
      header,
      shape,
      batchCount: file.batchCount,
      batches: () => readBatches(file, path, shape),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Reads a whole click log batch by batch, and closes it. */
export async function* readClickLog(
  path: string,
  options: OpenClickLogOptions = {},
): AsyncGenerator<ClickBatch> {
  const log = await openClickLog(path, options);
  try {
    yield* log.batches();
  } finally {
    await log.close();
  }
}

function shapeOf(schema: Schema, path: string): ClickLogShape {
  const names = schema.fields.map((field) => field.name);
  const featureNames = names.filter(
    (name) =>
      !(FIXED_COLUMNS as readonly string[]).includes(name) &&
      !(name.endsWith(WEIGHTS_SUFFIX) && names.includes(name.slice(0, -WEIGHTS_SUFFIX.length))),
  );
  if (!names.includes("query") || featureNames.length === 0) {
    throw new ShardpoolError(
      "CLICKS_INVALID",
      `${path} is no click log: it needs a column query and one a feature, it has ${names.join(", ")}`,
    );
  }
  return {
    denseFeatureCount: new ColumnReader(schema, path).listWidth("dense"),
    featureNames,
    isWeighted: featureNames.some((name) => names.includes(`${name}${WEIGHTS_SUFFIX}`)),
  };
}

function matchModel(
  path: string,
  found: ClickLogShape,
  header: ClickLogHeader,
  { manifest, acceptOtherHash = false }: OpenClickLogOptions,
): ClickLogShape {
  if (manifest === undefined) return found;
  const problems: string[] = [];
  const wanted = manifest.features.map((feature) => feature.name);
  const missing = wanted.filter((name) => !found.featureNames.includes(name));
  const surplus = found.featureNames.filter((name) => !wanted.includes(name));
  if (missing.length > 0) problems.push(`no column for feature ${missing.join(", ")}`);
  if (surplus.length > 0) problems.push(`the model has no feature ${surplus.join(", ")}`);
  if (found.denseFeatureCount !== manifest.denseFeatureCount) {
    problems.push(
      `${found.denseFeatureCount} dense features, the model has ${manifest.denseFeatureCount}`,
    );
  }
  const hash = hashManifest(manifest);
  if (header.model !== undefined && header.model.hash !== hash && !acceptOtherHash) {
    problems.push(`made for model ${nameOf(header.model)}, hash ${header.model.hash.slice(0, 12)}`);
  }
  if (problems.length > 0) {
    throw new ShardpoolError(
      "CLICKS_INVALID",
      `${path} is not for model ${nameOf(manifest)}, hash ${hash.slice(0, 12)}: ${problems.join("; ")}`,
    );
  }
  return { ...found, featureNames: wanted };
}

function nameOf(model: { readonly name: string; readonly version: string }): string {
  return `${model.name} version ${model.version}`;
}

async function* readBatches(
  file: ArrowFile,
  path: string,
  shape: ClickLogShape,
): AsyncGenerator<ClickBatch> {
  const reader = new ColumnReader(file.schema, path);
  for (let index = 0; index < file.batchCount; index++) {
    const batch = toClickBatch(await file.readBatch(index), reader, shape);
    if (batch.sampleCount > 0) yield batch;
  }
}

function toClickBatch(batch: RecordBatch, reader: ColumnReader, shape: ClickLogShape): ClickBatch {
  return {
    sampleCount: batch.numRows,
    queries: reader.ints(batch, "query"),
    timestampsMs: reader.milliseconds(batch, "timestampMs"),
    labels: reader.labels(batch, "label"),
    dense: reader.floatRows(batch, "dense"),
    features: shape.featureNames.map((name): BagColumn => {
      const column = reader.bags(batch, name);
      if (!reader.has(`${name}${WEIGHTS_SUFFIX}`)) return column;
      return { ...column, weights: reader.weights(batch, `${name}${WEIGHTS_SUFFIX}`, column) };
    }),
  };
}
