import { loadProto, serviceOf } from "../../../lib/rpc/load-proto.js";
import type { LoadQuery } from "./load-query.js";

export interface InferRequestOptions {
  readonly modelName: string;
  readonly modelVersion: string;
  /** Ask for the stage times as parameters of the answer. */
  readonly timings: boolean;
}

const { ModelInfer, ModelReady } = serviceOf(
  loadProto("inference.proto"),
  "inference.GRPCInferenceService",
).service;
if (ModelInfer === undefined || ModelReady === undefined) {
  throw new TypeError("inference.proto lacks ModelInfer or ModelReady");
}

/** The call that asks whether a model can answer. */
export const MODEL_READY = ModelReady;

const serializeInfer = ModelInfer.requestSerialize;

/** The gRPC path of a query. */
export const MODEL_INFER_PATH = ModelInfer.path;

/** The bytes of the `ModelInferRequest` that asks for the query's click probabilities. */
export function encodeInferRequest(query: LoadQuery, options: InferRequestOptions): Buffer {
  const { dense, bags, sampleCount } = query;
  const denseFeatureCount = sampleCount === 0 ? 0 : dense.length / sampleCount;
  const inputs = [
    { name: "dense", datatype: "FP32", shape: [sampleCount, denseFeatureCount] },
    { name: "lengths", datatype: "INT32", shape: [bags.featureCount, sampleCount] },
    { name: "values", datatype: "INT32", shape: [bags.values.length] },
  ];
  const contents = [bytesOf(dense), bytesOf(bags.lengths), bytesOf(bags.values)];
  if (bags.weights !== undefined) {
    inputs.push({ name: "weights", datatype: "FP32", shape: [bags.weights.length] });
    contents.push(bytesOf(bags.weights));
  }
  return serializeInfer({
    modelName: options.modelName,
    modelVersion: options.modelVersion,
    parameters: options.timings ? { timings: { boolParam: true } } : {},
    inputs,
    rawInputContents: contents,
  });
}

function bytesOf(array: Float32Array | Int32Array): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}
