import { ShardpoolError } from "../../lib/errors.js";
import { float32ToFloat16 } from "../../lib/model/float16.js";
import { GRPC_STATUS_BY_CODE, toServiceError } from "../../lib/rpc/grpc-status.js";
import type { LookupReply, LookupRequest, LookupSegment } from "../engine/lookup-request.js";

/** `shardpool.v1.LookupRequest` as it comes off the wire; its rules stand in the `.proto`. */
export interface WireLookupRequest {
  readonly correlationId: number;
  readonly timeoutUs: number;
  readonly sampleCount: number;
  readonly segments: readonly WireSegment[];
  readonly float16Reply: boolean;
  readonly traceparent: string;
}

interface WireSegment {
  readonly partition: number;
  readonly lengths: Uint8Array;
  readonly values: Uint8Array;
  readonly weights: Uint8Array;
}

/** `shardpool.v1.LookupReply`; fields left out are zero on the wire. */
export interface WireLookupReply {
  readonly correlationId: number;
  readonly error?: { readonly status: number; readonly code: string; readonly message: string };
  readonly pooled?: Uint8Array;
  readonly timings?: LookupReply["timings"];
  readonly rowsHit?: number;
  readonly rowsMissed?: number;
  readonly blocksRead?: number;
}

/**
 * A lookup in the engine's terms. Received bytes lie at any offset, so each field is copied once into
 * memory that typed arrays can read.
 *
 * @param deadlineAtMs When the caller's time is over; undefined when it has not said.
 * @throws ShardpoolError REQUEST_INVALID when a field is not a whole number of values.
 */
export function toLookupRequest(
  wire: WireLookupRequest,
  deadlineAtMs: number | undefined,
  signal: AbortSignal,
): LookupRequest {
  return {
    sampleCount: wire.sampleCount,
    segments: wire.segments.map(toSegment),
    ...(deadlineAtMs === undefined ? {} : { deadlineAtMs }),
    signal,
  };
}

function toSegment(wire: WireSegment, index: number): LookupSegment {
  const { partition, lengths, values, weights } = wire;
  const segment = {
    partition,
    lengths: new Uint32Array(alignedCopy(lengths, index, "lengths")),
    values: new Uint32Array(alignedCopy(values, index, "values")),
  };
  if (weights.length === 0) return segment;
  return { ...segment, weights: new Float32Array(alignedCopy(weights, index, "weights")) };
}

function alignedCopy(bytes: Uint8Array, index: number, field: string): ArrayBuffer {
  if (bytes.length % 4 !== 0) {
    throw new ShardpoolError(
      "REQUEST_INVALID",
      `segment ${index}: ${field} has ${bytes.length} bytes, not a multiple of 4`,
    );
  }
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return copy.buffer;
}

/** The answer to a lookup that went well. */
export function toWireReply(wire: WireLookupRequest, reply: LookupReply): WireLookupReply {
  const { pooled, timings, rowsHit, rowsMissed, blocksRead } = reply;
  const { correlationId } = wire;
  const bytes = wire.float16Reply ? bytesOf(toFloat16(pooled)) : bytesOf(pooled);
  return { correlationId, pooled: bytes, timings, rowsHit, rowsMissed, blocksRead };
}

/** The answer to a lookup that failed. What is not our error is a bug, and is not told in full. */
export function toWireError(correlationId: number, error: unknown): WireLookupReply {
  if (error instanceof ShardpoolError) {
    const { code, detail } = error;
    return {
      correlationId,
      error: { status: GRPC_STATUS_BY_CODE[code], code, message: detail },
    };
  }
  const { code = 13, details = "" } = toServiceError(error);
  return { correlationId, error: { status: code, code: "", message: details } };
}

function bytesOf(values: Float32Array | Uint16Array): Uint8Array {
  // A Buffer, because protobufjs copies one with memcpy and any other array byte by byte.
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

function toFloat16(values: Float32Array): Uint16Array {
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) halves[i] = float32ToFloat16(values[i]!);
  return halves;
}
