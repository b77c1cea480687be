import protobuf from "protobufjs";
import { ShardpoolError } from "../../lib/errors.js";
import { keepShape } from "../../lib/garbage-collection.js";
import { decodeTensorContents, type TensorContents } from "./tensor-contents.js";

/** A parameter as either protocol may carry it; a number of int64 or uint64 may be rounded. */
export type ParameterValue = boolean | number | string;
export type Parameters = ReadonlyMap<string, ParameterValue>;

export interface InferInputTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly contents: TensorContents | undefined;
}

/** `inference.ModelInferRequest`. */
export interface ModelInferRequest {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly id: string;
  readonly parameters: Parameters;
  readonly inputs: readonly InferInputTensor[];
  readonly outputs: readonly { readonly name: string }[];
  readonly rawInputContents: readonly Uint8Array[];
}

/**
 * More of these than any request has; without a bound, a message of 64 MiB could hold 30 million
 * empty ones.
 */
export const REQUEST_LIMITS = {
  inputs: 16,
  outputs: 16,
  raw_input_contents: 16,
  parameters: 256,
  shape: 8,
} as const;
/** Of a name, an id or a string parameter: they come back in answers, errors and logs. */
export const STRING_BYTES_MAX = 4096;

keepShape(protobuf.Reader.create(Buffer.alloc(0)));
keepShape(protobuf.Reader.create(new Uint8Array(0)));

/**
 * Reads a request's bytes. Raw contents stay where they lie in `bytes`; typed contents become typed
 * arrays. Fields that are not known are skipped, as the protocol's next version may have more.
 *
 * @throws ShardpoolError REQUEST_INVALID when they are no such message, or over `REQUEST_LIMITS`.
 */
export function decodeModelInferRequest(bytes: Uint8Array): ModelInferRequest {
  try {
    return readRequest(protobuf.Reader.create(bytes));
  } catch (error) {
    if (error instanceof ShardpoolError) throw error;
    throw new ShardpoolError("REQUEST_INVALID", "the bytes are no ModelInferRequest", {
      cause: error,
    });
  }
}

function readRequest(reader: protobuf.Reader): ModelInferRequest {
  const strings = { modelName: "", modelVersion: "", id: "" };
  const parameters = new Map<string, ParameterValue>();
  const inputs: InferInputTensor[] = [];
  const outputs: { name: string }[] = [];
  const rawInputContents: Uint8Array[] = [];
  forEachField(reader, {
    1: () => {
      strings.modelName = readString(reader, "model_name");
    },
    2: () => {
      strings.modelVersion = readString(reader, "model_version");
    },
    3: () => {
      strings.id = readString(reader, "id");
    },
    4: () => readParameter(nested(reader), parameters),
    5: () => push(inputs, readInput(nested(reader)), "inputs"),
    6: () => push(outputs, readOutput(nested(reader)), "outputs"),
    7: () => push(rawInputContents, reader.bytes(), "raw_input_contents"),
  });
  return { ...strings, parameters, inputs, outputs, rawInputContents };
}

function readInput(reader: protobuf.Reader): InferInputTensor {
  const strings = { name: "", datatype: "" };
  const shape: number[] = [];
  let contents: TensorContents | undefined;
  forEachField(reader, {
    1: () => {
      strings.name = readString(reader, "an input's name");
    },
    2: () => {
      strings.datatype = readString(reader, "an input's datatype");
    },
    3: (wireType) => readShape(reader, wireType, shape),
    5: () => {
      if (contents) throw invalid(`input ${strings.name}: contents are given twice`);
      contents = decodeTensorContents(reader.bytes());
    },
  });
  return { ...strings, shape, contents };
}

function readOutput(reader: protobuf.Reader): { name: string } {
  let name = "";
  forEachField(reader, {
    1: () => {
      name = readString(reader, "an output's name");
    },
  });
  return { name };
}

/** Sizes, packed or one by one. */
export function readShape(reader: protobuf.Reader, wireType: number, shape: number[]): void {
  if (wireType !== LENGTH_DELIMITED) {
    push(shape, numberOf(reader.int64()), "shape");
    return;
  }
  const sizes = nested(reader);
  while (sizes.pos < sizes.len) push(shape, numberOf(sizes.int64()), "shape");
}

/** An entry of a map: key 1, value 2; a key that comes again replaces what was there. */
export function readParameter(
  reader: protobuf.Reader,
  parameters: Map<string, ParameterValue>,
): void {
  let name = "";
  let value: ParameterValue | undefined;
  forEachField(reader, {
    1: () => {
      name = readString(reader, "a parameter's name");
    },
    2: () => {
      value = readParameterValue(nested(reader));
    },
  });
  if (value !== undefined) parameters.set(name, value);
  if (parameters.size > REQUEST_LIMITS.parameters) throw tooMany("parameters");
}

function readParameterValue(reader: protobuf.Reader): ParameterValue | undefined {
  let value: ParameterValue | undefined;
  forEachField(reader, {
    1: () => {
      value = reader.bool();
    },
    2: () => {
      value = numberOf(reader.int64());
    },
    3: () => {
      value = readString(reader, "a parameter");
    },
    4: () => {
      value = reader.double();
    },
    5: () => {
      value = numberOf(reader.uint64());
    },
  });
  return value;
}

const LENGTH_DELIMITED = 2;

/** Runs the reader of each field that has one, and skips the others. */
function forEachField(
  reader: protobuf.Reader,
  readers: Readonly<Record<number, (wireType: number) => void>>,
): void {
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const read = readers[tag >>> 3];
    if (read) read(tag & 7);
    else reader.skipType(tag & 7);
  }
}

/** A reader of the message that comes next. */
function nested(reader: protobuf.Reader): protobuf.Reader {
  return protobuf.Reader.create(reader.bytes());
}

function readString(reader: protobuf.Reader, what: string): string {
  const bytes = reader.bytes();
  if (bytes.byteLength > STRING_BYTES_MAX) {
    throw invalid(`${what} has ${bytes.byteLength} bytes, at most ${STRING_BYTES_MAX} are read`);
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

function push<T>(list: T[], item: T, what: keyof typeof REQUEST_LIMITS): void {
  if (list.length >= REQUEST_LIMITS[what]) throw tooMany(what);
  list.push(item);
}

/** protobufjs gives an object of two words where the package `long` is there, else a number. */
function numberOf(value: protobuf.Long | number): number {
  if (typeof value === "number") return value;
  return value.high * 2 ** 32 + (value.low >>> 0);
}

function tooMany(what: keyof typeof REQUEST_LIMITS): ShardpoolError {
  return invalid(`${what}: more than ${REQUEST_LIMITS[what]}`);
}

function invalid(detail: string): ShardpoolError {
  return new ShardpoolError("REQUEST_INVALID", detail);
}
