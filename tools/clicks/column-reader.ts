import { type Data, DataType, type RecordBatch, type Schema } from "apache-arrow";
import { ShardpoolError } from "../../lib/errors.js";
import type { BagColumn } from "./click-batch.js";
import { narrowInts, wideToFloats } from "./wide-ints.js";

/** Takes typed arrays out of record batches, columns by name, and refuses what does not fit. */
export class ColumnReader {
  readonly #schema: Schema;
  readonly #path: string;

  constructor(schema: Schema, path: string) {
    this.#schema = schema;
    this.#path = path;
  }

  has(name: string): boolean {
    return this.#schema.fields.some((field) => field.name === name);
  }

  /** Width of a fixed-size list column, 0 when there is no such column. */
  listWidth(name: string): number {
    const type = this.#schema.fields.find((field) => field.name === name)?.type;
    if (type === undefined) return 0;
    if (DataType.isFixedSizeList(type)) return type.listSize;
    throw this.#invalid(name, `must be a fixed-size list of floats, it is ${type}`);
  }

  /** `[B]` from integers of any width. */
  ints(batch: RecordBatch, name: string): Int32Array {
    return this.#ints(this.#column(batch, name), name);
  }

  /** `[B]` milliseconds from a timestamp[ms], an integer or a float column. */
  milliseconds(batch: RecordBatch, name: string): Float64Array {
    const data = this.#column(batch, name);
    const { type } = data;
    const values = this.#values(data, name);
    if (values instanceof Float64Array) return values;
    const isMilliseconds = !DataType.isTimestamp(type) || `${type}`.includes("MILLISECOND");
    if (isMilliseconds && values instanceof BigInt64Array) return wideToFloats(values);
    if (values instanceof Int32Array) return Float64Array.from(values);
    throw this.#invalid(name, `must be timestamp[ms], int64 or float64, it is ${type}`);
  }

  /** `[B]` zeros and ones. */
  labels(batch: RecordBatch, name: string): Uint8Array {
    const data = this.#column(batch, name);
    const values = this.#values(data, name);
    const labels = values instanceof Uint8Array ? values : Uint8Array.from(this.#ints(data, name));
    for (let i = 0; i < labels.length; i++) {
      if (labels[i]! > 1) throw this.#invalid(name, `a label is 0 or 1, got ${labels[i]}`);
    }
    return labels;
  }

  /** `[B * D]` from a fixed-size list of floats; empty when the column is not there. */
  floatRows(batch: RecordBatch, name: string): Float32Array {
    const width = this.listWidth(name);
    if (width === 0) return new Float32Array(0);
    const data = this.#column(batch, name);
    return this.#floats(data.children[0], name).subarray(0, data.length * width);
  }

  /** Bags of row ids from a list of integers. */
  bags(batch: RecordBatch, name: string): BagColumn {
    const list = this.#list(batch, name);
    const child = list.data.children[0];
    if (child === undefined) throw this.#invalid(name, "has no values");
    const rowIds = this.#ints(child, name);
    this.#checkOffsets(list.offsets, rowIds.length, name);
    return { offsets: list.offsets, rowIds };
  }

  /** Weights that stand where `bags` has its row ids. */
  weights(batch: RecordBatch, name: string, bags: BagColumn): Float32Array {
    const { data, offsets } = this.#list(batch, name);
    const values = this.#floats(data.children[0], name);
    this.#checkOffsets(offsets, values.length, name);
    const shift = offsets[0]! - bags.offsets[0]!;
    for (let i = 0; i < offsets.length; i++) {
      if (offsets[i]! - bags.offsets[i]! === shift) continue;
      throw this.#invalid(name, `sample ${i - 1} has another number of weights than row ids`);
    }
    if (shift === 0) return values;
    const aligned = new Float32Array(bags.rowIds.length);
    aligned.set(values.subarray(offsets[0], offsets.at(-1)), bags.offsets[0]);
    return aligned;
  }

  #list(batch: RecordBatch, name: string): { data: Data; offsets: Int32Array } {
    const data = this.#column(batch, name);
    if (!DataType.isList(data.type) && !DataType.isLargeList(data.type)) {
      throw this.#invalid(name, `must be a list of integers, it is ${data.type}`);
    }
    const raw: Int32Array | BigInt64Array = data.valueOffsets;
    const offsets = raw instanceof Int32Array ? raw : narrowInts(raw, () => this.#tooWide(name));
    // A batch without samples may come without its one offset.
    if (data.length === 0 && offsets.length === 0) return { data, offsets: new Int32Array(1) };
    if (offsets.length <= data.length) throw this.#corrupt(name, "offsets are missing");
    return { data, offsets: offsets.subarray(0, data.length + 1) };
  }

  #checkOffsets(offsets: Int32Array, valueCount: number, name: string): void {
    let previous = 0;
    for (let i = 0; i < offsets.length; i++) {
      const offset = offsets[i]!;
      if (offset < previous) throw this.#corrupt(name, `offset ${i} goes back`);
      previous = offset;
    }
    if (previous > valueCount) {
      throw this.#corrupt(name, `bags end at ${previous}, there are ${valueCount} values`);
    }
  }

  #ints(data: Data, name: string): Int32Array {
    const values = this.#values(data, name);
    if (values instanceof Int32Array) return values;
    if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
      return narrowInts(values, () => this.#tooWide(name));
    }
    if (values instanceof Uint32Array && values.some((value) => value > 0x7fffffff)) {
      throw this.#tooWide(name);
    }
    if (isSmallInts(values)) return Int32Array.from(values);
    throw this.#invalid(name, `must hold integers, it has ${data.type}`);
  }

  #floats(data: Data | undefined, name: string): Float32Array {
    if (data === undefined) throw this.#invalid(name, "has no values");
    const values = this.#values(data, name);
    if (values instanceof Float32Array) return values;
    if (values instanceof Float64Array) return Float32Array.from(values);
    throw this.#invalid(name, `must hold float32, it has ${data.type}`);
  }

  #column(batch: RecordBatch, name: string): Data {
    const index = this.#schema.fields.findIndex((field) => field.name === name);
    const data = batch.data.children[index];
    if (data === undefined) throw this.#invalid(name, "is missing");
    if (data.nullCount > 0) throw this.#invalid(name, `has ${data.nullCount} nulls`);
    return data;
  }

  #values(data: Data, name: string): ArrayLike<unknown> {
    const values: ArrayLike<unknown> | undefined = data.values;
    if (data.nullCount > 0) throw this.#invalid(name, `has ${data.nullCount} nulls in its lists`);
    if (values === undefined || values.length < data.length) {
      throw this.#corrupt(name, `${data.length} values said, ${values?.length ?? 0} there`);
    }
    return values;
  }

  #tooWide(name: string): ShardpoolError {
    return this.#invalid(name, "holds a value outside 0 to 2147483647");
  }

  #invalid(name: string, why: string): ShardpoolError {
    return new ShardpoolError("CLICKS_INVALID", `${this.#path}: column ${name} ${why}`);
  }

  #corrupt(name: string, why: string): ShardpoolError {
    return new ShardpoolError("FILE_CORRUPT", `${this.#path}: column ${name}: ${why}`);
  }
}

type SmallInts = Int8Array | Uint8Array | Int16Array | Uint16Array | Uint32Array;

function isSmallInts(values: ArrayLike<unknown>): values is SmallInts {
  return [Int8Array, Uint8Array, Int16Array, Uint16Array, Uint32Array].some(
    (kind) => values instanceof kind,
  );
}
