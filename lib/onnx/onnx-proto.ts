import { join } from "node:path";
import protobuf from "protobufjs";
import { ShardpoolError } from "../errors.js";
import { PACKAGE_ROOT } from "../package-root.js";

/** TensorProto.DataType of the types that shardpool reads or writes. */
export const ONNX_TYPE = {
  float: 1,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  double: 11,
} as const;

/** AttributeProto.AttributeType, as written. */
export const ONNX_ATTRIBUTE = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
} as const;

/*
 * The messages of proto/onnx.proto as plain objects, fields in camel case. Lists that a reader always
 * walks are always there after `decodeOnnxModel()`; an absent scalar is an absent key. 64-bit
 * integers are numbers: sizes stay exact, and the "to the end" of a Slice (2^63 - 1) survives a round
 * trip because the encoder clamps it.
 */

export interface OnnxModel {
  readonly irVersion?: number;
  readonly opsetImport: readonly OnnxOpset[];
  readonly producerName?: string;
  readonly producerVersion?: string;
  readonly domain?: string;
  readonly modelVersion?: number;
  readonly docString?: string;
  readonly graph: OnnxGraph;
  readonly metadataProps: readonly OnnxEntry[];
  readonly functions?: readonly unknown[];
}

export interface OnnxEntry {
  readonly key: string;
  readonly value: string;
}

export interface OnnxOpset {
  readonly domain?: string;
  readonly version?: number;
}

export interface OnnxGraph {
  readonly name?: string;
  readonly node: readonly OnnxNode[];
  readonly initializer: readonly OnnxTensor[];
  readonly input: readonly OnnxValueInfo[];
  readonly output: readonly OnnxValueInfo[];
  readonly valueInfo?: readonly OnnxValueInfo[];
}

export interface OnnxNode {
  readonly name?: string;
  readonly opType: string;
  readonly domain?: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attribute: readonly OnnxAttribute[];
}

export interface OnnxAttribute {
  readonly name: string;
  readonly type?: number;
  readonly f?: number;
  readonly i?: number;
  readonly s?: Uint8Array;
  readonly t?: OnnxTensor;
  readonly g?: OnnxGraph;
  readonly floats?: readonly number[];
  readonly ints?: readonly number[];
  readonly strings?: readonly Uint8Array[];
}

export interface OnnxTensor {
  readonly name?: string;
  readonly dims: readonly number[];
  readonly dataType: number;
  /** Row-major, little-endian; starts at any address, so copy before viewing it as floats. */
  readonly rawData?: Uint8Array;
  readonly floatData?: readonly number[];
  readonly int32Data?: readonly number[];
  readonly int64Data?: readonly number[];
  readonly doubleData?: readonly number[];
  readonly externalData?: readonly OnnxEntry[];
  /** 1 when the elements are in the file that `externalData` names. */
  readonly dataLocation?: number;
}

export interface OnnxValueInfo {
  readonly name: string;
  readonly type?: OnnxType;
}

export interface OnnxType {
  readonly tensorType?: { readonly elemType: number; readonly shape?: OnnxShape };
  readonly sequenceType?: { readonly elemType?: OnnxType };
}

export interface OnnxShape {
  readonly dim: readonly { readonly dimValue?: number; readonly dimParam?: string }[];
}

/** The bytes of an ONNX file. The same model gives the same bytes. */
export function encodeOnnxModel(model: OnnxModel): Uint8Array {
  const type = modelType();
  return type.encode(type.fromObject(model)).finish();
}

/**
 * Reads an ONNX file. Messages and fields that proto/onnx.proto leaves out are dropped.
 *
 * @param what Names the file in the error.
 * @throws ShardpoolError FILE_CORRUPT when the bytes are no ONNX model with a graph.
 */
export function decodeOnnxModel(bytes: Uint8Array, what: string): OnnxModel {
  // The conversion's options give every list of the interfaces, and .proto and interfaces agree.
  const model = decodeObject(bytes, what) as Partial<OnnxModel>;
  if (model.graph === undefined) {
    throw new ShardpoolError("FILE_CORRUPT", `${what} holds no ONNX graph`);
  }
  return model as OnnxModel;
}

function decodeObject(bytes: Uint8Array, what: string): object {
  const type = modelType();
  try {
    return type.toObject(type.decode(bytes), { longs: Number, enums: Number, arrays: true });
  } catch (error) {
    throw new ShardpoolError("FILE_CORRUPT", `${what} is not an ONNX file`, { cause: error });
  }
}

let loadedModelType: protobuf.Type | undefined;

/** Parses the .proto at the first use: most processes never read ONNX. */
function modelType(): protobuf.Type {
  loadedModelType ??= protobuf
    .loadSync(join(PACKAGE_ROOT, "proto", "onnx.proto"))
    .lookupType("onnx.ModelProto");
  return loadedModelType;
}
