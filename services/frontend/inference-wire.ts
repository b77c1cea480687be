import { join } from "node:path";
import type { ServiceDefinition } from "@grpc/grpc-js";
import type { PackageDefinition } from "@grpc/proto-loader";
import protobuf from "protobufjs";
import { keepShape } from "../../lib/garbage-collection.js";
import { loadProto, PROTO_FOLDER, serviceOf } from "../../lib/rpc/load-proto.js";

const PROTO_FILE = "inference.proto";
export const INFERENCE_SERVICE = "inference.GRPCInferenceService";
export const MODEL_INFER_PATH = `/${INFERENCE_SERVICE}/ModelInfer`;

/** `inference.InferParameter`: exactly one is set. */
export interface InferParameter {
  readonly boolParam?: boolean;
  readonly int64Param?: number;
  readonly stringParam?: string;
}

export interface InferOutputTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly contents?: { readonly fp32Contents: Float32Array };
}

export interface ModelInferResponse {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly id: string;
  readonly parameters: Readonly<Record<string, InferParameter>>;
  readonly outputs: readonly InferOutputTensor[];
  readonly rawOutputContents: readonly Uint8Array[];
}

export const inferencePackage: PackageDefinition = loadProto(PROTO_FILE);

const root = new protobuf.Root().loadSync(join(PROTO_FOLDER, PROTO_FILE));
const responseType = root.lookupType("inference.ModelInferResponse");

// A writer that is not finished holds one of each thing it is made of.
keepShape(
  responseType.encode({
    ...{ modelName: "m", modelVersion: "1", id: "i", parameters: { p: { int64Param: 1 } } },
    outputs: [{ name: "o", datatype: "FP32", shape: [1, 1] }],
    rawOutputContents: [new Uint8Array(4)],
  }),
);
keepShape(protobuf.Writer.create().fork());

/** Writes an answer's bytes. */
export function encodeModelInferResponse(response: ModelInferResponse): Buffer {
  return Buffer.from(responseType.encode(response).finish());
}

/**
 * The service with ModelInfer's messages left as bytes, so that a request that is none is answered
 * with INVALID_ARGUMENT and not as an error of the server's.
 */
export function inferenceServiceDefinition(): ServiceDefinition {
  const definition = serviceOf(inferencePackage, INFERENCE_SERVICE).service;
  return {
    ...definition,
    ModelInfer: {
      ...definition["ModelInfer"]!,
      requestDeserialize: (bytes: Buffer) => bytes,
      responseSerialize: (bytes: Buffer) => bytes,
    },
  };
}
