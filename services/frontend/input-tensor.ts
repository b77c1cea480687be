import { ShardpoolError } from "../../lib/errors.js";
import { floatsOf, intsOf } from "./byte-views.js";
import type { InferTensorContents, Int64, ModelInferRequest } from "./inference-wire.js";

export type Datatype = "FP32" | "INT32" | "INT64";

/** An input whose size fits its shape; its numbers have not been looked at. */
export interface InputTensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly elementCount: number;
  readonly data: /** Little-endian, row-major. */
    | { readonly kind: "raw"; readonly bytes: Uint8Array }
    | { readonly kind: "numbers"; readonly values: readonly number[] }
    | { readonly kind: "int64"; readonly values: readonly Int64[] };
}

const ELEMENT_BYTES: Readonly<Record<Datatype, number>> = { FP32: 4, INT32: 4, INT64: 8 };

/** The field of typed contents that belongs to a datatype. */
const CONTENTS_FIELD = {
  FP32: "fp32Contents",
  INT32: "intContents",
  INT64: "int64Contents",
} as const satisfies Record<Datatype, keyof InferTensorContents>;

/** A bad input: `what` names it, or the field that holds it. */
export function invalidInput(what: string, rule: string): ShardpoolError {
  return new ShardpoolError("REQUEST_INVALID", `${what}: ${rule}`);
}

/**
 * Reads the inputs of a gRPC request, raw or typed, by name.
 *
 * @throws ShardpoolError REQUEST_INVALID naming the input and the rule.
 */
export function readInputTensors(request: ModelInferRequest): Map<string, InputTensor> {
  const { inputs, rawInputContents } = request;
  if (rawInputContents.length !== 0 && rawInputContents.length !== inputs.length) {
    throw invalidInput(
      "raw_input_contents",
      `${rawInputContents.length} entries for ${inputs.length} inputs, must be one each`,
    );
  }
  const tensors = new Map<string, InputTensor>();
  for (const [index, { name, datatype, shape, contents }] of inputs.entries()) {
    if (tensors.has(name)) throw invalidInput(name, "is given twice");
    const known = parseDatatype(name, datatype);
    const sizes = shape.map((size) => size.toNumber());
    const elementCount = countElements(name, sizes);
    const bytes = rawInputContents[index];
    if (bytes && contents) {
      throw invalidInput(name, "has contents and raw_input_contents, must have one of them");
    }
    const data = bytes ? ({ kind: "raw", bytes } as const) : typedData(name, known, contents);
    const tensor = { name, datatype: known, shape: sizes, elementCount, data };
    assertSize(tensor);
    tensors.set(name, tensor);
  }
  return tensors;
}

/** @throws ShardpoolError REQUEST_INVALID unless the frontend takes inputs of that datatype. */
export function parseDatatype(name: string, datatype: string): Datatype {
  if (datatype === "FP32" || datatype === "INT32" || datatype === "INT64") return datatype;
  throw invalidInput(name, `datatype ${datatype || "missing"}, must be FP32, INT32 or INT64`);
}

/** @throws ShardpoolError REQUEST_INVALID for a size that is negative, or beyond all limits. */
export function countElements(name: string, shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 0) throw invalidInput(name, `shape [${shape}]`);
    count *= size;
  }
  if (!Number.isSafeInteger(count)) throw invalidInput(name, `shape [${shape}] is too large`);
  return count;
}

/** @throws ShardpoolError REQUEST_INVALID when the data is not as large as the shape says. */
export function assertSize({ name, datatype, shape, elementCount, data }: InputTensor): void {
  if (data.kind === "raw") {
    const bytesExpected = elementCount * ELEMENT_BYTES[datatype];
    if (data.bytes.byteLength === bytesExpected) return;
    throw invalidInput(
      name,
      `${data.bytes.byteLength} raw bytes, shape [${shape.join(", ")}] of ${datatype} is ${bytesExpected}`,
    );
  }
  if (data.values.length === elementCount) return;
  throw invalidInput(
    name,
    `${data.values.length} values, shape [${shape.join(", ")}] is ${elementCount}`,
  );
}

function typedData(
  name: string,
  datatype: Datatype,
  contents: InferTensorContents | null | undefined,
): InputTensor["data"] {
  const field = CONTENTS_FIELD[datatype];
  for (const [other, values] of Object.entries(contents ?? {})) {
    if (other !== field && Array.isArray(values) && values.length > 0) {
      throw invalidInput(name, `${other} is filled, datatype ${datatype} goes with ${field}`);
    }
  }
  if (field === "int64Contents") return { kind: "int64", values: contents?.[field] ?? [] };
  return { kind: "numbers", values: contents?.[field] ?? [] };
}

/** The numbers of an FP32 tensor. */
export function readFloats({ data }: InputTensor): Float32Array {
  if (data.kind === "raw") return floatsOf(data.bytes);
  if (data.kind === "numbers") return Float32Array.from(data.values);
  throw new TypeError("an FP32 tensor has no int64 data");
}

/** What stands for an integer that is no int32: as a length or row id it is refused later. */
const OUT_OF_INT32 = -1;

/**
 * The numbers of an INT32 or INT64 tensor as int32; the caller may change them. A number that does
 * not fit becomes -1, which is neither a row id nor a length.
 */
export function readInts({ data, datatype }: InputTensor): Int32Array {
  if (data.kind === "int64") return narrowLongs(data.values);
  if (data.kind === "numbers") return narrowNumbers(data.values);
  const ints = intsOf(data.bytes);
  return datatype === "INT64" ? narrowPairs(ints) : ints;
}

/** As Int32 pairs, low word first: a BigInt an id costs more than pooling its row. */
function narrowPairs(pairs: Int32Array): Int32Array {
  const values = new Int32Array(pairs.length / 2);
  for (let i = 0; i < values.length; i++) {
    values[i] = pairs[2 * i + 1] === 0 ? pairs[2 * i]! : OUT_OF_INT32;
  }
  return values;
}

function narrowLongs(longs: readonly Int64[]): Int32Array {
  const values = new Int32Array(longs.length);
  for (let i = 0; i < values.length; i++) {
    const { low, high } = longs[i]!;
    values[i] = high === 0 ? low : OUT_OF_INT32;
  }
  return values;
}

function narrowNumbers(numbers: readonly number[]): Int32Array {
  const values = new Int32Array(numbers.length);
  for (let i = 0; i < values.length; i++) {
    const value = numbers[i]!;
    values[i] = (value | 0) === value ? value : OUT_OF_INT32;
  }
  return values;
}
