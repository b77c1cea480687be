import { ShardpoolError } from "../../lib/errors.js";
import { float32sToFloat16s } from "../../lib/model/float16-kernels.js";
import { messagePool } from "../../lib/rpc/byte-pool.js";
import type { GrpcFrame } from "../../lib/rpc/grpc-frames.js";
import { GRPC_STATUS_BY_CODE, toServiceError } from "../../lib/rpc/grpc-status.js";
import {
  encodeLookupReply,
  frameLookupReply,
  type LookupErrorMessage,
  type LookupReplyMessage,
  type LookupRequestMessage,
  type LookupSegmentMessage,
  REPLY_ROOM_BYTES,
} from "../../lib/rpc/lookup-codec.js";
import type { LookupReply, LookupRequest, LookupSegment } from "../engine/lookup-request.js";
import type { Cancellation } from "./cancellation.js";

/**
 * A lookup in the engine's terms. Received bytes lie at any offset, so they are copied once, all into
 * one piece of memory that typed arrays can read.
 *
 * @param deadlineAtMs When the caller's time is over; undefined when it has not said.
 * @throws ShardpoolError REQUEST_INVALID when a field is not a whole number of values.
 */
export function toLookupRequest(
  wire: LookupRequestMessage,
  deadlineAtMs: number | undefined,
  cancellation: Cancellation,
): LookupRequest {
  const area = new AlignedArea(wire.segments);
  return {
    sampleCount: wire.sampleCount,
    segments: wire.segments.map((segment, index) => toSegment(segment, index, area)),
    ...(deadlineAtMs === undefined ? {} : { deadlineAtMs }),
    get signal() {
      return cancellation.signal;
    },
  };
}

function toSegment(
  { partition, lengths, values, weights }: LookupSegmentMessage,
  index: number,
  area: AlignedArea,
): LookupSegment {
  const segment = {
    partition,
    lengths: area.copyInts(lengths, index, "lengths"),
    values: area.copyInts(values, index, "values"),
  };
  if (weights.length === 0) return segment;
  const bits = area.copyInts(weights, index, "weights");
  return { ...segment, weights: new Float32Array(bits.buffer, bits.byteOffset, bits.length) };
}

/** Aligned copies of a lookup's fields, side by side in one allocation. */
class AlignedArea {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(segments: readonly LookupSegmentMessage[]) {
    let size = 0;
    for (const { lengths, values, weights } of segments) {
      size += lengths.length + values.length + weights.length;
    }
    // Not from Node's pool, whose slices start at multiples of 8 only by its own habit.
    this.#bytes = Buffer.allocUnsafeSlow(size);
  }

  copyInts(field: Uint8Array, index: number, name: string): Uint32Array {
    if (field.length % 4 !== 0) {
      throw new ShardpoolError(
        "REQUEST_INVALID",
        `segment ${index}: ${name} has ${field.length} bytes, not a multiple of 4`,
      );
    }
    const start = this.#position;
    this.#bytes.set(field, start);
    this.#position = start + field.length;
    return new Uint32Array(this.#bytes.buffer, start, field.length / 4);
  }
}

/** A reply and whether its `pooled` has room around it: what `serializeReply` takes. */
export interface WireReply extends LookupReplyMessage {
  readonly hasRoom: boolean;
}

/** The bytes of a reply; those of `pooled` are not copied where they have room around them. */
export function serializeReply(reply: WireReply): Buffer {
  return encodeLookupReply(reply, reply.hasRoom);
}

/** The same behind the prefix of a gRPC stream. */
export function frameReply(reply: WireReply): GrpcFrame {
  return frameLookupReply(reply, reply.hasRoom);
}

/** The answer to a lookup that went well. */
export function toWireReply(wire: LookupRequestMessage, reply: LookupReply): WireReply {
  const { pooled, timings, rowsHit, rowsMissed, blocksRead } = reply;
  const { correlationId, float16Reply } = wire;
  return {
    ...{ correlationId, error: null, timings, rowsHit, rowsMissed, blocksRead },
    pooled: bytesOf(float16Reply ? toFloat16(pooled) : pooled),
    hasRoom: true,
  };
}

const NOTHING = {
  pooled: new Uint8Array(0),
  timings: null,
  rowsHit: 0,
  rowsMissed: 0,
  blocksRead: 0,
};

/** The answer to a ping. */
export function toPong(correlationId: number): WireReply {
  return { correlationId, error: null, ...NOTHING, hasRoom: false };
}

/** The answer to a lookup that failed. What is not our error is a bug, and is not told in full. */
export function toWireError(correlationId: number, error: unknown): WireReply {
  return { correlationId, error: errorOf(error), ...NOTHING, hasRoom: false };
}

function errorOf(error: unknown): LookupErrorMessage {
  if (error instanceof ShardpoolError) {
    const { code, detail } = error;
    return { status: GRPC_STATUS_BY_CODE[code], code, message: detail };
  }
  const { code = 13, details = "" } = toServiceError(error);
  return { status: code, code: "", message: details };
}

function bytesOf(values: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Rounded sums, with room around them as the engine's have; it takes the memory of `values` over. */
function toFloat16(values: Float32Array): Uint16Array {
  const memory = messagePool.take(2 * REPLY_ROOM_BYTES + values.length * 2);
  const start = memory.byteOffset + REPLY_ROOM_BYTES;
  const halves = new Uint16Array(memory.buffer, start, values.length);
  float32sToFloat16s(values, halves);
  messagePool.give(new Uint8Array(values.buffer));
  return halves;
}
