import protobuf from "protobufjs";
import {
  type Parameters,
  type ParameterValue,
  readParameter,
  readShape,
} from "./infer-request-codec.js";
import { claimedSampleCount } from "./query-service.js";

/** What the first bytes of a `ModelInferRequest` tell. */
export interface PeekedRequest {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly parameters: Parameters;
  /** As the shapes have it. */
  readonly sampleCount: number;
}

/** Fields of `ModelInferRequest` and of its `InferInputTensor`. */
const MODEL_NAME = 1;
const MODEL_VERSION = 2;
const PARAMETERS = 4;
const INPUTS = 5;
const RAW_INPUT_CONTENTS = 7;
const TENSOR_NAME = 1;
const TENSOR_SHAPE = 3;
const TENSOR_CONTENTS = 5;

/**
 * Reads what stands before a request's tensors. Encoders write fields in the order of their numbers, so that
 * parameters and shapes come first.
 *
 * @param bytes The beginning of the message.
 * @returns `undefined` when they do not say how many samples there are: the whole request has to be read.
 */
export function peekModelInferRequest(bytes: Uint8Array): PeekedRequest | undefined {
  const reader = protobuf.Reader.create(bytes);
  const parameters = new Map<string, ParameterValue>();
  const peeked = { modelName: "", modelVersion: "", sampleCount: -1 };
  const setSamples = (sampleCount: number): void => {
    peeked.sampleCount = sampleCount;
  };
  try {
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      const field = tag >>> 3;
      if (field === RAW_INPUT_CONTENTS) break;
      if (field === MODEL_NAME) peeked.modelName = reader.string();
      else if (field === MODEL_VERSION) peeked.modelVersion = reader.string();
      else if (field === PARAMETERS) readParameter(nested(reader), parameters);
      else if (field === INPUTS) peekInput(reader, setSamples);
      else reader.skipType(tag & 7);
    }
  } catch {
    // The rest of the field is on its way; what is wrong with it shows when all is read.
  }
  return peeked.sampleCount < 0 ? undefined : { ...peeked, parameters };
}

/** Reads an input's name and shape, skips the rest, and tells `onSamples` what the shape says of samples. */
function peekInput(reader: protobuf.Reader, onSamples: (sampleCount: number) => void): void {
  const end = reader.uint32() + reader.pos;
  let name = "";
  const shape: number[] = [];
  while (reader.pos < end) {
    const tag = reader.uint32();
    const field = tag >>> 3;
    if (field === TENSOR_NAME) name = reader.string();
    else if (field === TENSOR_SHAPE) readShape(reader, tag & 7, shape);
    else if (field === TENSOR_CONTENTS) break;
    else reader.skipType(tag & 7);
  }
  const sampleCount = claimedSampleCount(name, shape);
  if (sampleCount !== undefined) onSamples(sampleCount);
  reader.skip(end - reader.pos);
}

function nested(reader: protobuf.Reader): protobuf.Reader {
  return protobuf.Reader.create(reader.bytes());
}
