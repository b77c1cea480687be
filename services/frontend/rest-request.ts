import { ShardpoolError } from "../../lib/errors.js";
import { type ParameterValue, REQUEST_LIMITS, STRING_BYTES_MAX } from "./infer-request-codec.js";
import {
  addTensor,
  type Datatype,
  type InputTensor,
  invalidInput,
  quoted,
  type TensorData,
} from "./input-tensor.js";
import { OUT_OF_INT32 } from "./tensor-contents.js";

/** An inference request of the REST twin. */
export interface RestRequest {
  readonly id: string;
  readonly parameters: ReadonlyMap<string, ParameterValue>;
  readonly tensors: ReadonlyMap<string, InputTensor>;
  readonly outputs: readonly RestOutput[];
  /** What an output that says nothing about it comes as. */
  readonly binaryByDefault: boolean;
}

export interface RestOutput {
  readonly name: string;
  /** Whether it shall come as bytes; undefined when the request does not say. */
  readonly isBinary: boolean | undefined;
}

type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Reads the body of `POST /v2/models/{model}/infer`: JSON, and after it the bytes of the inputs that
 * give their `binary_data_size`, in the inputs' order (the binary tensor data extension).
 *
 * @param headerLength Bytes of JSON, from `Inference-Header-Content-Length`; undefined: all.
 * @param jsonBytesMax JSON takes many times its size once it is parsed.
 * @throws ShardpoolError REQUEST_INVALID naming the input and the rule, or LIMIT_EXCEEDED.
 * @see https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol/binary-tensor-data-extension
 */
export function readRestRequest(
  body: Buffer,
  headerLength: string | undefined,
  jsonBytesMax: number,
): RestRequest {
  const jsonLength = readHeaderLength(headerLength, body.length);
  if (jsonLength > jsonBytesMax) {
    throw new ShardpoolError(
      "LIMIT_EXCEEDED",
      `${jsonLength} bytes of JSON, at most ${jsonBytesMax} are read; large tensors go as binary data`,
    );
  }
  const root = parseJson(body.subarray(0, jsonLength));
  const parameters = readParameters(root);
  const binary = new BinaryPart(body.subarray(jsonLength));
  const tensors = new Map<string, InputTensor>();
  for (const input of readObjects(root, "inputs")) addInput(tensors, input, binary);
  binary.assertUsed();
  return {
    id: readText(root, "id"),
    parameters,
    tensors,
    outputs: readObjects(root, "outputs").map(readOutput),
    binaryByDefault: readBoolean(parameters, "binary_data_output") ?? false,
  };
}

function readHeaderLength(text: string | undefined, bodyLength: number): number {
  if (text === undefined) return bodyLength;
  const length = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (length <= bodyLength) return length;
  throw invalidInput(
    "Inference-Header-Content-Length",
    `${quoted(text)}, must be a number up to the body's ${bodyLength} bytes`,
  );
}

function parseJson(bytes: Buffer): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw new ShardpoolError("REQUEST_INVALID", "the body is no JSON", { cause: error });
  }
  if (isObject(value)) return value;
  throw new ShardpoolError("REQUEST_INVALID", "the body is no JSON object");
}

function addInput(tensors: Map<string, InputTensor>, input: JsonObject, binary: BinaryPart): void {
  const name = readText(input, "name");
  const datatype = readText(input, "datatype");
  const shape = readShape(name, input["shape"]);
  const byteCount = readParameters(input).get("binary_data_size");
  const data = input["data"];
  if ((data === undefined) === (byteCount === undefined)) {
    throw invalidInput(name, "must have either data or the parameter binary_data_size");
  }
  addTensor(tensors, { name, datatype, shape }, (known, elementCount) =>
    byteCount === undefined
      ? readNumbers(name, known, elementCount, data)
      : { kind: "raw", bytes: binary.take(name, byteCount) },
  );
}

/** What follows the JSON, handed out piece by piece. */
class BinaryPart {
  readonly #bytes: Buffer;
  #position = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  take(name: string, byteCount: ParameterValue): Uint8Array {
    const leftCount = this.#bytes.length - this.#position;
    if (typeof byteCount !== "number" || !Number.isInteger(byteCount) || byteCount < 0) {
      throw invalidInput(name, "binary_data_size must be a whole number from 0");
    }
    if (byteCount > leftCount) {
      throw invalidInput(name, `binary_data_size ${byteCount}, ${leftCount} bytes are left`);
    }
    this.#position += byteCount;
    return this.#bytes.subarray(this.#position - byteCount, this.#position);
  }

  assertUsed(): void {
    const leftCount = this.#bytes.length - this.#position;
    if (leftCount === 0) return;
    throw invalidInput("binary data", `${leftCount} bytes belong to no input`);
  }
}

/** Numbers in any nesting that row-major order flattens, as the protocol allows. */
function readNumbers(
  name: string,
  datatype: Datatype,
  elementCount: number,
  data: unknown,
): TensorData {
  if (!Array.isArray(data)) throw invalidInput(name, "data must be an array");
  // The shape is the client's word; memory is taken for numbers that are there.
  const numbers: number[] = [];
  flatten(name, data, elementCount, numbers, 0);
  if (datatype === "FP32") return { kind: "floats", values: Float32Array.from(numbers) };
  return { kind: "ints", values: Int32Array.from(numbers, (value) => toInt32(name, value)) };
}

function flatten(
  name: string,
  data: readonly unknown[],
  countMax: number,
  numbers: number[],
  depth: number,
): void {
  if (depth >= REQUEST_LIMITS.shape) throw invalidInput(name, "data is nested too deep");
  for (const item of data) {
    if (Array.isArray(item)) flatten(name, item, countMax, numbers, depth + 1);
    else if (typeof item !== "number") throw invalidInput(name, "data must be numbers");
    else if (numbers.length < countMax) numbers.push(item);
    else throw invalidInput(name, `data has more than the shape's ${countMax} values`);
  }
}

function toInt32(name: string, value: number): number {
  if ((value | 0) === value) return value;
  if (Number.isInteger(value)) return OUT_OF_INT32;
  throw invalidInput(name, `data has ${value}, must be whole numbers`);
}

function readShape(name: string, shape: unknown): number[] {
  if (
    Array.isArray(shape) &&
    shape.length <= REQUEST_LIMITS.shape &&
    shape.every((size) => typeof size === "number")
  ) {
    return shape;
  }
  throw invalidInput(name, `shape must be an array of at most ${REQUEST_LIMITS.shape} numbers`);
}

function readOutput(output: JsonObject): RestOutput {
  const isBinary = readBoolean(readParameters(output), "binary_data");
  return { name: readText(output, "name"), isBinary };
}

function readParameters(of: JsonObject): ReadonlyMap<string, ParameterValue> {
  const parameters = of["parameters"] ?? {};
  if (!isObject(parameters)) throw invalidInput("parameters", "must be an object");
  const entries = Object.entries(parameters);
  if (entries.length > REQUEST_LIMITS.parameters) {
    throw invalidInput("parameters", `more than ${REQUEST_LIMITS.parameters}`);
  }
  return new Map(
    entries.flatMap(([name, value]) => (isParameterValue(value) ? [[name, value] as const] : [])),
  );
}

/** Others mean nothing here, whatever they are. */
function isParameterValue(value: unknown): value is ParameterValue {
  return typeof value === "boolean" || typeof value === "number" || typeof value === "string";
}

function readBoolean(
  parameters: ReadonlyMap<string, ParameterValue>,
  name: string,
): boolean | undefined {
  const value = parameters.get(name);
  if (value === undefined || typeof value === "boolean") return value;
  throw invalidInput(`parameter ${name}`, "must be a bool");
}

function readObjects(root: JsonObject, name: "inputs" | "outputs"): readonly JsonObject[] {
  const list = Object.hasOwn(root, name) ? root[name] : [];
  if (Array.isArray(list) && list.length <= REQUEST_LIMITS[name] && list.every(isObject)) {
    return list;
  }
  throw invalidInput(name, `must be an array of at most ${REQUEST_LIMITS[name]} objects`);
}

/** "" when it is not there. */
function readText(of: JsonObject, key: string): string {
  const text = Object.hasOwn(of, key) ? of[key] : "";
  if (typeof text === "string" && text.length <= STRING_BYTES_MAX) return text;
  throw invalidInput(key, `must be a string of at most ${STRING_BYTES_MAX} characters`);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
