import type { Writable } from "node:stream";
import { ShardpoolError } from "../errors.js";
import { messagePool } from "./byte-pool.js";

/**
 * Bytes before each message of a gRPC stream: a flag that says whether it is compressed, and its
 * length, big-endian (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
 */
export const GRPC_PREFIX_BYTES = 5;

/** A message's bytes behind their prefix, in one piece of memory that may be sent as it is. */
export type GrpcFrame = Buffer;

/** Writes the prefix of a message that begins `GRPC_PREFIX_BYTES` after `offset`. */
export function writeGrpcPrefix(bytes: Buffer, offset: number, messageBytes: number): void {
  bytes[offset] = 0;
  bytes.writeUInt32BE(messageBytes, offset + 1);
}

/**
 * Writes a message to a stream that is open.
 *
 * @param onSent Called once the frame's memory may be used again; never, when the stream fails first.
 */
export function writeFrame(stream: Writable, frame: GrpcFrame, onSent?: () => void): void {
  if (onSent) stream.write(frame, (error) => error || onSent());
  else stream.write(frame);
}

/** Writes a message without its prefix to a stream that is open, and ends it; the message is not copied. */
export function endWithMessage(stream: Writable, message: Uint8Array): void {
  const prefix = Buffer.allocUnsafe(GRPC_PREFIX_BYTES);
  writeGrpcPrefix(prefix, 0, message.length);
  stream.cork();
  stream.write(prefix);
  stream.end(message);
  stream.uncork();
}

const START_BYTES = 256;

/** Memory is taken for what a message says it has, and for no more than this before that much has come. */
const UNPROVEN_BYTES = 64 * 1024;
/** A frame of 16 KiB makes room for half a megabyte: most messages are copied once. */
const GROWTH = 32;

/** Bytes to have for a frame that says it will have `wanted`: a prefix is no reason to take 64 MiB. */
function roomFor(filled: number, wanted: number): number {
  return Math.min(wanted, Math.max(UNPROVEN_BYTES, GROWTH * filled));
}

/**
 * Cuts what arrives on a stream into messages. A message that lies whole in a piece received is a view
 * of it; one in several pieces is put together in memory that goes round (`messagePool`): one copy and
 * nothing to collect. There the prefix starts at a multiple of 8.
 */
export class GrpcFrameReader {
  readonly #messageBytesMax: number;
  readonly #onMessage: (message: Buffer) => void;
  /** Where every frame in several pieces begins; small ones end here too. */
  readonly #start = Buffer.allocUnsafeSlow(START_BYTES);
  /** A frame in several pieces, from its prefix on. */
  #frame: Buffer = this.#start;
  /** Bytes of it that have come. */
  #filled = 0;

  /** @param onMessage May use the message's bytes until it returns, and no longer. */
  constructor(messageBytesMax: number, onMessage: (message: Buffer) => void) {
    this.#messageBytesMax = messageBytesMax;
    this.#onMessage = onMessage;
  }

  /** True between messages, which is where a stream may end. */
  get isAtBoundary(): boolean {
    return this.#filled === 0;
  }

  /**
   * Takes the next piece of the stream.
   *
   * @throws ShardpoolError LIMIT_EXCEEDED for a message over the limit, FORMAT_UNSUPPORTED for a
   * compressed one; the stream is of no use afterwards. What `onMessage` throws.
   */
  push(piece: Buffer): void {
    let position = this.#filled === 0 ? 0 : this.#goOn(piece, 0);
    while (position < piece.length) {
      const end = position + GRPC_PREFIX_BYTES;
      if (end <= piece.length) {
        const messageEnd = end + this.#messageBytesOf(piece, position);
        if (messageEnd <= piece.length) {
          this.#onMessage(piece.subarray(end, messageEnd));
          position = messageEnd;
          continue;
        }
      }
      position = this.#goOn(piece, position);
    }
  }

  /** Copies what the piece has of the frame that is being put together; returns where it ends. */
  #goOn(piece: Buffer, start: number): number {
    let position = this.#fill(piece, start, GRPC_PREFIX_BYTES);
    if (this.#filled < GRPC_PREFIX_BYTES) return position;
    const frameBytes = GRPC_PREFIX_BYTES + this.#messageBytesOf(this.#frame, 0);
    position = this.#fill(piece, position, frameBytes);
    if (this.#filled === frameBytes) {
      const frame = this.#frame;
      this.#frame = this.#start;
      this.#filled = 0;
      this.#onMessage(frame.subarray(GRPC_PREFIX_BYTES, frameBytes));
      messagePool.give(frame);
    }
    return position;
  }

  #fill(piece: Buffer, start: number, wanted: number): number {
    const count = Math.min(wanted - this.#filled, piece.length - start);
    if (count <= 0) return start;
    const filled = this.#filled + count;
    if (this.#frame.length < filled) this.#grow(roomFor(filled, wanted));
    piece.copy(this.#frame, this.#filled, start, start + count);
    this.#filled = filled;
    return start + count;
  }

  #grow(wanted: number): void {
    const grown = messagePool.take(wanted);
    this.#frame.copy(grown, 0, 0, this.#filled);
    messagePool.give(this.#frame);
    this.#frame = grown;
  }

  #messageBytesOf(bytes: Buffer, offset: number): number {
    if (bytes[offset] !== 0) {
      throw new ShardpoolError(
        "FORMAT_UNSUPPORTED",
        "a compressed gRPC message; none was agreed on",
      );
    }
    const messageBytes = bytes.readUInt32BE(offset + 1);
    if (messageBytes > this.#messageBytesMax) {
      throw new ShardpoolError(
        "LIMIT_EXCEEDED",
        `a gRPC message of ${messageBytes} bytes, the limit is ${this.#messageBytesMax}`,
      );
    }
    return messageBytes;
  }
}
