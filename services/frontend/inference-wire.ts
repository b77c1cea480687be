import { join } from "node:path";
import type { ServiceDefinition } from "@grpc/grpc-js";
import type { PackageDefinition } from "@grpc/proto-loader";
import protobuf from "protobufjs";
import { ShardpoolError } from "../../lib/errors.js";
import { loadProto, PROTO_FOLDER, serviceOf } from "../../lib/rpc/load-proto.js";

const PROTO_FILE = "inference.proto";
export const INFERENCE_SERVICE = "inference.GRPCInferenceService";

/** A 64-bit integer as protobufjs gives it: two int32 halves. */
export interface Int64 {
  readonly low: number;
  readonly high: number;
  toNumber(): number;
}

/** Exactly one is set; protobufjs leaves the others undefined. */
export interface InferParameter {
  readonly boolParam?: boolean;
  readonly int64Param?: Int64 | number;
  readonly stringParam?: string;
  readonly doubleParam?: number;
  readonly uint64Param?: Int64 | number;
}

export type InferParameters = Readonly<Record<string, InferParameter>>;

export interface InferTensorContents {
  readonly boolContents?: readonly boolean[];
  readonly intContents?: readonly number[];
  readonly int64Contents?: readonly Int64[];
  readonly uintContents?: readonly number[];
  readonly uint64Contents?: readonly Int64[];
  readonly fp32Contents?: readonly number[];
  readonly fp64Contents?: readonly number[];
  readonly bytesContents?: readonly Uint8Array[];
}

export interface InferInputTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly Int64[];
  readonly contents?: InferTensorContents | null;
}

/** `inference.ModelInferRequest`, fields that are absent holding their defaults. */
export interface ModelInferRequest {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly id: string;
  readonly parameters: InferParameters;
  readonly inputs: readonly InferInputTensor[];
  readonly outputs: readonly { readonly name: string }[];
  readonly rawInputContents: readonly Uint8Array[];
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
  readonly parameters: InferParameters;
  readonly outputs: readonly InferOutputTensor[];
  readonly rawOutputContents: readonly Uint8Array[];
}

export const inferencePackage: PackageDefinition = loadProto(PROTO_FILE);

const root = new protobuf.Root().loadSync(join(PROTO_FOLDER, PROTO_FILE));
const requestType = root.lookupType("inference.ModelInferRequest");
const responseType = root.lookupType("inference.ModelInferResponse");

/**
 * Reads a request's bytes. proto-loader's own reader turns every 64-bit id into text; this one
 * leaves raw contents where they lie in `bytes`.
 *
 * @throws ShardpoolError REQUEST_INVALID when they are no such message.
 */
export function decodeModelInferRequest(bytes: Uint8Array): ModelInferRequest {
  try {
    return requestType.decode(bytes) as unknown as ModelInferRequest;
  } catch (error) {
    throw new ShardpoolError("REQUEST_INVALID", "the bytes are no ModelInferRequest", {
      cause: error,
    });
  }
}

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
