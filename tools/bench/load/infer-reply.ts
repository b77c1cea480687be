import protobuf from "protobufjs/minimal.js";
import { ShardpoolError } from "../../../lib/errors.js";

type ParameterValue = string | number | boolean;

/** What a load generator reads of a `ModelInferResponse`. */
export interface InferReply {
  readonly parameters: ReadonlyMap<string, ParameterValue>;
  /** `[B]`, or empty when the answer carries no raw `probability`. */
  readonly probability: Float32Array;
}

/**
 * Reads a `ModelInferResponse`. Written by hand over protobufjs' reader because it runs while
 * queries are being sent: it skips what nobody looks at (benchmark `infer-reply-decode`).
 *
 * @throws ShardpoolError REQUEST_INVALID when the bytes are no such message.
 */
export function decodeInferReply(bytes: Uint8Array): InferReply {
  try {
    return readReply(protobuf.Reader.create(bytes));
  } catch (error) {
    throw new ShardpoolError(
      "REQUEST_INVALID",
      `an answer of ${bytes.length} bytes is no ModelInferResponse`,
      { cause: error },
    );
  }
}

function readReply(reader: protobuf.Reader): InferReply {
  const parameters = new Map<string, ParameterValue>();
  const outputNames: string[] = [];
  const rawContents: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    switch (tag >>> 3) {
      case 4:
        readParameterEntry(reader, reader.uint32() + reader.pos, parameters);
        break;
      case 5:
        outputNames.push(readOutputName(reader, reader.uint32() + reader.pos));
        break;
      case 6:
        rawContents.push(reader.bytes());
        break;
      default:
        reader.skipType(tag & 7);
    }
  }
  const raw = rawContents[outputNames.indexOf("probability")];
  return { parameters, probability: raw === undefined ? new Float32Array(0) : floatsOf(raw) };
}

function readParameterEntry(
  reader: protobuf.Reader,
  end: number,
  parameters: Map<string, ParameterValue>,
): void {
  let key = "";
  let value: ParameterValue | undefined;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1) key = reader.string();
    else if (tag >>> 3 === 2) value = readParameter(reader, reader.uint32() + reader.pos);
    else reader.skipType(tag & 7);
  }
  if (value !== undefined) parameters.set(key, value);
}

function readParameter(reader: protobuf.Reader, end: number): ParameterValue | undefined {
  let value: ParameterValue | undefined;
  while (reader.pos < end) {
    const tag = reader.uint32();
    switch (tag >>> 3) {
      case 1:
        value = reader.bool();
        break;
      case 2:
        value = Number(reader.int64().toString());
        break;
      case 3:
        value = reader.string();
        break;
      case 4:
        value = reader.double();
        break;
      case 5:
        value = Number(reader.uint64().toString());
        break;
      default:
        reader.skipType(tag & 7);
    }
  }
  return value;
}

function readOutputName(reader: protobuf.Reader, end: number): string {
  let name = "";
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1) name = reader.string();
    else reader.skipType(tag & 7);
  }
  return name;
}

/** Received bytes start at any offset, and a Float32Array must not. */
function floatsOf(bytes: Uint8Array): Float32Array {
  const aligned = new Uint8Array(bytes.length);
  aligned.set(bytes);
  return new Float32Array(aligned.buffer, 0, Math.floor(bytes.length / 4));
}
