import { ShardpoolError } from "../../lib/errors.js";
import { copyFloats, copyInts, intsOf } from "./byte-views.js";
import type { InferInputTensor, ModelInferRequest } from "./infer-request-codec.js";
import { type ContentsField, OUT_OF_INT32, type TensorContents } from "./tensor-contents.js";

export type Datatype = "FP32" | "INT32" | "INT64";

/** An input whose size fits its shape; its numbers have not been looked at. */
export interface InputTensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly elementCount: number;
  readonly data: TensorData;
}

export type TensorData =
  /** Little-endian, row-major. */
  | { readonly kind: "raw"; readonly bytes: Uint8Array }
  | { readonly kind: "floats"; readonly values: Float32Array }
  /** What does not fit int32 is `OUT_OF_INT32`. */
  | { readonly kind: "ints"; readonly values: Int32Array };

const ELEMENT_BYTES: Readonly<Record<Datatype, number>> = { FP32: 4, INT32: 4, INT64: 8 };

/** The field of typed contents that belongs to a datatype. */
const CONTENTS_FIELD: Readonly<Record<Datatype, ContentsField>> = {
  FP32: "fp32_contents",
  INT32: "int_contents",
  INT64: "int64_contents",
};

/** Of a client's own words in an error; the rest would only fill logs. */
const QUOTED_LENGTH_MAX = 100;

/** A bad input: `what` names it, or the field that holds it. */
export function invalidInput(what: string, rule: string): ShardpoolError {
  return new ShardpoolError("REQUEST_INVALID", `${quoted(what)}: ${rule}`);
}

/** A client's own word, cut to a length that fits an error. */
export function quoted(text: string): string {
  return text.length <= QUOTED_LENGTH_MAX ? text : `${text.slice(0, QUOTED_LENGTH_MAX)}…`;
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
  for (const [index, input] of inputs.entries()) {
    addTensor(tensors, input, (datatype) => dataOf(input, datatype, rawInputContents[index]));
  }
  return tensors;
}

/**
 * Checks an input of either protocol and adds it by its name.
 *
 * @param read Gives its data, once its datatype and the count of its elements are known.
 * @throws ShardpoolError REQUEST_INVALID naming the input and the rule.
 */
export function addTensor(
  tensors: Map<string, InputTensor>,
  { name, datatype, shape }: Pick<InferInputTensor, "name" | "datatype" | "shape">,
  read: (datatype: Datatype, elementCount: number) => TensorData,
): void {
  if (tensors.has(name)) throw invalidInput(name, "is given twice");
  const known = parseDatatype(name, datatype);
  const elementCount = countElements(name, shape);
  const data = read(known, elementCount);
  const tensor = { name, datatype: known, shape, elementCount, data };
  assertSize(tensor);
  tensors.set(name, tensor);
}

function parseDatatype(name: string, datatype: string): Datatype {
  if (datatype === "FP32" || datatype === "INT32" || datatype === "INT64") return datatype;
  throw invalidInput(
    name,
    `datatype ${quoted(datatype) || "missing"}, must be FP32, INT32 or INT64`,
  );
}

function countElements(name: string, shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 0) throw invalidInput(name, `shape [${shape}]`);
    count *= size;
  }
  if (!Number.isSafeInteger(count)) throw invalidInput(name, `shape [${shape}] is too large`);
  return count;
}

function assertSize({ name, datatype, shape, elementCount, data }: InputTensor): void {
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

function dataOf(
  { name, contents }: InferInputTensor,
  datatype: Datatype,
  bytes: Uint8Array | undefined,
): TensorData {
  if (bytes && contents && contents.filled.length > 0) {
    throw invalidInput(name, "has contents and raw_input_contents, must have one of them");
  }
  return bytes ? { kind: "raw", bytes } : typedData(name, datatype, contents);
}

function typedData(
  name: string,
  datatype: Datatype,
  contents: TensorContents | undefined,
): TensorData {
  const field = CONTENTS_FIELD[datatype];
  const other = contents?.filled.find((filled) => filled !== field);
  if (other) {
    throw invalidInput(name, `${other} is filled, datatype ${datatype} goes with ${field}`);
  }
  if (datatype === "FP32")
    return { kind: "floats", values: contents?.floats ?? new Float32Array() };
  const ints = datatype === "INT64" ? contents?.longs : contents?.ints;
  return { kind: "ints", values: ints ?? new Int32Array() };
}

/** The numbers of an FP32 tensor; those of raw contents are copied, as a message's memory goes round. */
export function readFloats({ data }: InputTensor): Float32Array {
  if (data.kind === "raw") return copyFloats(data.bytes);
  if (data.kind === "floats") return data.values;
  throw new TypeError("an FP32 tensor has no integers");
}

/**
 * The numbers of an INT32 or INT64 tensor as int32; the caller may change them. A number that does
 * not fit becomes `OUT_OF_INT32`, which is neither a row id nor a length.
 */
export function readInts({ data, datatype }: InputTensor): Int32Array {
  if (data.kind === "ints") return data.values;
  if (data.kind === "floats") throw new TypeError("an integer tensor has no floats");
  return datatype === "INT64" ? narrowPairs(intsOf(data.bytes)) : copyInts(data.bytes);
}

/** As Int32 pairs, low word first: a BigInt an id costs more than pooling its row. */
function narrowPairs(pairs: Int32Array): Int32Array {
  const values = new Int32Array(pairs.length / 2);
  for (let i = 0; i < values.length; i++) {
    values[i] = pairs[2 * i + 1] === 0 ? pairs[2 * i]! : OUT_OF_INT32;
  }
  return values;
}
