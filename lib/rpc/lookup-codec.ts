import { keepShape } from "../garbage-collection.js";
import { messagePool } from "./byte-pool.js";
import { GRPC_PREFIX_BYTES, type GrpcFrame, writeGrpcPrefix } from "./grpc-frames.js";
import { WireReader } from "./wire-reader.js";
import { bytesFieldBytes, uint32FieldBytes, varintBytes, WireWriter } from "./wire-writer.js";

// The two messages of the hot path, `shardpool.v1.LookupRequest` and `LookupReply`, written by hand:
// their fields and rules stand in proto/embedding_shard.proto. protobufjs builds objects it copies
// from, checks types field by field and grows its output; this writes each field once into a message
// sized beforehand. A test holds that both give and read the same bytes.

export interface LookupRequestMessage {
  readonly correlationId: number;
  readonly timeoutUs: number;
  readonly sampleCount: number;
  readonly segments: readonly LookupSegmentMessage[];
  readonly float16Reply: boolean;
  readonly traceparent: string;
  readonly cancel: boolean;
  readonly ping: boolean;
}

export interface LookupSegmentMessage {
  readonly partition: number;
  readonly lengths: Uint8Array;
  readonly values: Uint8Array;
  readonly weights: Uint8Array;
}

export interface LookupReplyMessage {
  readonly correlationId: number;
  readonly error: LookupErrorMessage | null;
  readonly pooled: Uint8Array;
  readonly timings: ShardTimingsMessage | null;
  readonly rowsHit: number;
  readonly rowsMissed: number;
  readonly blocksRead: number;
}

export interface LookupErrorMessage {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** Microseconds, on the shard's clock. */
export interface ShardTimingsMessage {
  readonly queueUs: number;
  readonly memoryUs: number;
  readonly ssdUs: number;
  readonly poolUs: number;
  readonly totalUs: number;
}

const NO_BYTES = new Uint8Array(0);

keepShape(new WireReader(NO_BYTES));
keepShape(new WireWriter(NO_BYTES));

/** Writes a request. */
export function encodeLookupRequest(message: LookupRequestMessage): Buffer {
  return frameLookupRequest(message).subarray(GRPC_PREFIX_BYTES);
}

/** Writes a request behind the prefix of a gRPC stream, into memory of `messagePool`. */
export function frameLookupRequest(message: LookupRequestMessage): GrpcFrame {
  const { correlationId, timeoutUs, sampleCount, segments, float16Reply, cancel, ping } = message;
  const traceparent = textBytes(message.traceparent);
  const segmentBytes = segments.map(segmentBytesOf);
  let size = uint32FieldBytes(correlationId) + uint32FieldBytes(timeoutUs);
  size += uint32FieldBytes(sampleCount) + bytesFieldBytes(traceparent.length);
  size += (float16Reply ? 2 : 0) + (cancel ? 2 : 0) + (ping ? 2 : 0);
  for (const length of segmentBytes) size += 1 + varintBytes(length) + length;

  const bytes = messagePool.take(GRPC_PREFIX_BYTES + size).subarray(0, GRPC_PREFIX_BYTES + size);
  writeGrpcPrefix(bytes, 0, size);
  const writer = new WireWriter(bytes, GRPC_PREFIX_BYTES);
  writer.uint32Field(1, correlationId);
  writer.uint32Field(2, timeoutUs);
  writer.uint32Field(3, sampleCount);
  for (let i = 0; i < segments.length; i++) {
    const { partition, lengths, values, weights } = segments[i]!;
    writer.bytesHeader(4, segmentBytes[i]!);
    writer.uint32Field(1, partition);
    writer.bytesField(2, lengths);
    writer.bytesField(3, values);
    writer.bytesField(4, weights);
  }
  writer.uint32Field(5, float16Reply ? 1 : 0);
  writer.bytesField(6, traceparent);
  writer.uint32Field(7, cancel ? 1 : 0);
  writer.uint32Field(8, ping ? 1 : 0);
  return bytes;
}

function segmentBytesOf({ partition, lengths, values, weights }: LookupSegmentMessage): number {
  return (
    uint32FieldBytes(partition) +
    bytesFieldBytes(lengths.length) +
    bytesFieldBytes(values.length) +
    bytesFieldBytes(weights.length)
  );
}

/**
 * Reads a request; the segments' bytes stay where they lie in `bytes`.
 *
 * @throws RangeError when it is no such message.
 */
export function decodeLookupRequest(bytes: Uint8Array): LookupRequestMessage {
  const reader = new WireReader(bytes);
  const segments: LookupSegmentMessage[] = [];
  // Plain literals, here and below: spread ones cost as much as the reading.
  const message = {
    correlationId: 0,
    timeoutUs: 0,
    sampleCount: 0,
    segments,
    float16Reply: false,
    traceparent: "",
    cancel: false,
    ping: false,
  };
  while (!reader.isAtEnd) {
    const tag = reader.uint32();
    if (tag === 0x08) message.correlationId = reader.uint32();
    else if (tag === 0x10) message.timeoutUs = reader.uint32();
    else if (tag === 0x18) message.sampleCount = reader.uint32();
    else if (tag === 0x22) segments.push(readSegment(reader));
    else if (tag === 0x28) message.float16Reply = reader.uint32() !== 0;
    else if (tag === 0x32) message.traceparent = reader.string();
    else if (tag === 0x38) message.cancel = reader.uint32() !== 0;
    else if (tag === 0x40) message.ping = reader.uint32() !== 0;
    else reader.skip(tag);
  }
  return message;
}

function readSegment(reader: WireReader): LookupSegmentMessage {
  let partition = 0;
  let lengths: Uint8Array = NO_BYTES;
  let values: Uint8Array = NO_BYTES;
  let weights: Uint8Array = NO_BYTES;
  const outerEnd = reader.enter();
  while (!reader.isAtEnd) {
    const tag = reader.uint32();
    if (tag === 0x08) partition = reader.uint32();
    else if (tag === 0x12) lengths = reader.bytes();
    else if (tag === 0x1a) values = reader.bytes();
    else if (tag === 0x22) weights = reader.bytes();
    else reader.skip(tag);
  }
  reader.leave(outerEnd);
  return { partition, lengths, values, weights };
}

const ALIGNMENT_BYTES = 4;
/** No field but `pooled` and an error's text takes more before or after `pooled`. */
export const REPLY_ROOM_BYTES = 96;

/**
 * Writes a reply.
 *
 * @param hasRoom `pooled` has `REPLY_ROOM_BYTES` before and after it in its buffer that may be
 * written over: then the other fields go there and `pooled` is not copied.
 */
export function encodeLookupReply(message: LookupReplyMessage, hasRoom = false): Buffer {
  return frameLookupReply(message, hasRoom).subarray(GRPC_PREFIX_BYTES);
}

/** Writes a reply behind the prefix of a gRPC stream; see `encodeLookupReply`. */
export function frameLookupReply(message: LookupReplyMessage, hasRoom = false): GrpcFrame {
  const { correlationId, pooled, error } = message;
  const head = GRPC_PREFIX_BYTES + headBytesOf(correlationId, pooled.length);
  const tail = error === null ? REPLY_ROOM_BYTES : REPLY_ROOM_BYTES + errorBytesOf(error);
  const size = head + pooled.length + tail;
  const bytes =
    hasRoom && error === null
      ? Buffer.from(pooled.buffer, pooled.byteOffset - head, size)
      : Buffer.allocUnsafe(size);
  const writer = new WireWriter(bytes, GRPC_PREFIX_BYTES);
  writer.uint32Field(1, correlationId);
  if (pooled.length > 0) {
    writer.bytesField(2, PADDINGS[paddingOf(correlationId, pooled.length)]!);
    writer.bytesHeader(3, pooled.length);
    if (!hasRoom || error !== null) bytes.set(pooled, head);
  }
  const end = writeTail(new WireWriter(bytes, head + pooled.length), message);
  writeGrpcPrefix(bytes, 0, end - GRPC_PREFIX_BYTES);
  return bytes.subarray(0, end);
}

function writeTail(writer: WireWriter, message: LookupReplyMessage): number {
  const { timings, rowsHit, rowsMissed, blocksRead, error } = message;
  if (timings !== null) {
    const { queueUs, memoryUs, ssdUs, poolUs, totalUs } = timings;
    let size = uint32FieldBytes(queueUs) + uint32FieldBytes(memoryUs) + uint32FieldBytes(ssdUs);
    size += uint32FieldBytes(poolUs) + uint32FieldBytes(totalUs);
    writer.bytesHeader(4, size);
    writer.uint32Field(1, queueUs);
    writer.uint32Field(2, memoryUs);
    writer.uint32Field(3, ssdUs);
    writer.uint32Field(4, poolUs);
    writer.uint32Field(5, totalUs);
  }
  writer.uint32Field(5, rowsHit);
  writer.uint32Field(6, rowsMissed);
  writer.uint32Field(7, blocksRead);
  if (error !== null) {
    const code = textBytes(error.code);
    const text = textBytes(error.message);
    writer.bytesHeader(
      8,
      uint32FieldBytes(error.status) + bytesFieldBytes(code.length) + bytesFieldBytes(text.length),
    );
    writer.uint32Field(1, error.status);
    writer.bytesField(2, code);
    writer.bytesField(3, text);
  }
  return writer.position;
}

/** Fillings of the padding field, by their length. */
const PADDINGS = [0, 1, 2, 3, 4].map((length) => new Uint8Array(length));

/** Bytes before `pooled`. */
function headBytesOf(correlationId: number, pooledBytes: number): number {
  if (pooledBytes === 0) return uint32FieldBytes(correlationId);
  const padding = paddingOf(correlationId, pooledBytes);
  return bareHeadBytesOf(correlationId, pooledBytes) + bytesFieldBytes(padding);
}

function bareHeadBytesOf(correlationId: number, pooledBytes: number): number {
  return uint32FieldBytes(correlationId) + 1 + varintBytes(pooledBytes);
}

/** Length of the padding that lets `pooled` start aligned, its own tag and length counted. */
function paddingOf(correlationId: number, pooledBytes: number): number {
  const start = GRPC_PREFIX_BYTES + bareHeadBytesOf(correlationId, pooledBytes);
  const missing = (ALIGNMENT_BYTES - (start % ALIGNMENT_BYTES)) % ALIGNMENT_BYTES;
  if (missing === 0) return 0;
  // Tag and length are two bytes more, and an empty field is none: 3, 4 and 1 fill up 1, 2 and 3.
  return missing === 3 ? 1 : missing + 2;
}

function errorBytesOf({ code, message }: LookupErrorMessage): number {
  return textBytes(code).length + textBytes(message).length;
}

/**
 * Reads a reply; `pooled` stays where it lies in `bytes`.
 *
 * @throws RangeError when it is no such message.
 */
export function decodeLookupReply(bytes: Uint8Array): LookupReplyMessage {
  const reader = new WireReader(bytes);
  const message: { -readonly [K in keyof LookupReplyMessage]: LookupReplyMessage[K] } = {
    correlationId: 0,
    error: null,
    pooled: NO_BYTES,
    timings: null,
    rowsHit: 0,
    rowsMissed: 0,
    blocksRead: 0,
  };
  while (!reader.isAtEnd) {
    const tag = reader.uint32();
    if (tag === 0x08) message.correlationId = reader.uint32();
    else if (tag === 0x1a) message.pooled = reader.bytes();
    else if (tag === 0x22) message.timings = readTimings(reader);
    else if (tag === 0x28) message.rowsHit = reader.uint32();
    else if (tag === 0x30) message.rowsMissed = reader.uint32();
    else if (tag === 0x38) message.blocksRead = reader.uint32();
    else if (tag === 0x42) message.error = readError(reader);
    else reader.skip(tag);
  }
  return message;
}

function readTimings(reader: WireReader): ShardTimingsMessage {
  const timings = { queueUs: 0, memoryUs: 0, ssdUs: 0, poolUs: 0, totalUs: 0 };
  const outerEnd = reader.enter();
  while (!reader.isAtEnd) {
    const tag = reader.uint32();
    if (tag === 0x08) timings.queueUs = reader.uint32();
    else if (tag === 0x10) timings.memoryUs = reader.uint32();
    else if (tag === 0x18) timings.ssdUs = reader.uint32();
    else if (tag === 0x20) timings.poolUs = reader.uint32();
    else if (tag === 0x28) timings.totalUs = reader.uint32();
    else reader.skip(tag);
  }
  reader.leave(outerEnd);
  return timings;
}

function readError(reader: WireReader): LookupErrorMessage {
  const error = { status: 0, code: "", message: "" };
  const outerEnd = reader.enter();
  while (!reader.isAtEnd) {
    const tag = reader.uint32();
    if (tag === 0x08) error.status = reader.uint32();
    else if (tag === 0x12) error.code = reader.string();
    else if (tag === 0x1a) error.message = reader.string();
    else reader.skip(tag);
  }
  reader.leave(outerEnd);
  return error;
}

function textBytes(text: string): Uint8Array {
  return text === "" ? NO_BYTES : Buffer.from(text, "utf8");
}
