import assert from "node:assert/strict";
import { Float32, Int32, makeData, type Schema } from "apache-arrow";
import {
  type ArrowFileWriter,
  type ColumnData,
  writeArrowFile,
} from "../../lib/arrow/arrow-file-writer.js";
import { type BagColumn, type ClickBatch, sliceClickBatch } from "./click-batch.js";
import {
  type ClickLogHeader,
  type ClickLogShape,
  createClickLogSchema,
} from "./click-log-schema.js";

/** Samples a record batch: small enough to stream, large enough that its header costs nothing. */
const BATCH_SAMPLES = 4096;

/** Appends samples to a click log. */
export class ClickLogWriter {
  readonly #file: ArrowFileWriter;
  readonly #schema: Schema;
  readonly #shape: ClickLogShape;

  /** For {@link writeClickLog}. */
  constructor(file: ArrowFileWriter, schema: Schema, shape: ClickLogShape) {
    this.#file = file;
    this.#schema = schema;
    this.#shape = shape;
  }

  /** Appends a run of any length; its arrays may be used again once this resolves. */
  async write(batch: ClickBatch): Promise<void> {
    assert.equal(batch.features.length, this.#shape.featureNames.length);
    assert.equal(batch.dense.length, batch.sampleCount * this.#shape.denseFeatureCount);
    for (let start = 0; start < batch.sampleCount; start += BATCH_SAMPLES) {
      const end = Math.min(start + BATCH_SAMPLES, batch.sampleCount);
      await this.#file.write(end - start, this.#columnsOf(sliceClickBatch(batch, start, end)));
    }
  }

  #columnsOf(batch: ClickBatch): ColumnData[] {
    const length = batch.sampleCount;
    const columns: ColumnData[] = [];
    const next = (props: object): void => {
      // The schema is ours, field for field, so each column's type is the one it was made with.
      const type = this.#schema.fields[columns.length]?.type;
      columns.push(makeData({ type, length, nullCount: 0, ...props } as never));
    };
    next({ data: batch.queries });
    next({ data: BigInt64Array.from(batch.timestampsMs, BigInt) });
    next({ data: batch.labels });
    if (this.#shape.denseFeatureCount > 0) next({ child: floats(batch.dense) });
    for (const column of batch.features) {
      next({ valueOffsets: column.offsets, child: ints(column.rowIds) });
      if (this.#shape.isWeighted) {
        next({ valueOffsets: column.offsets, child: floats(weightsOf(column)) });
      }
    }
    return columns;
  }
}

/**
 * Writes a click log, an Arrow IPC file, whole or not at all.
 *
 * @param fill Gets the writer and appends every sample.
 * @throws ShardpoolError DISK_FULL, WRITE_FAILED, OUTPUT_EXISTS, CLICKS_INVALID.
 */
export async function writeClickLog<T>(
  path: string,
  shape: ClickLogShape,
  header: ClickLogHeader,
  fill: (writer: ClickLogWriter) => Promise<T>,
  options: { readonly replace?: boolean } = {},
): Promise<T> {
  const schema = createClickLogSchema(shape, header);
  return await writeArrowFile(
    path,
    schema,
    (file) => fill(new ClickLogWriter(file, schema, shape)),
    options,
  );
}

function ints(data: Int32Array): ColumnData {
  return makeData({ type: new Int32(), length: data.length, nullCount: 0, data });
}

function floats(data: Float32Array): ColumnData {
  return makeData({ type: new Float32(), length: data.length, nullCount: 0, data });
}

function weightsOf(column: BagColumn): Float32Array {
  assert.equal(column.weights?.length, column.rowIds.length, "a weight a row id");
  return column.weights ?? new Float32Array(0);
}
