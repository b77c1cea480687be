import type { IncomingHttpHeaders } from "node:http2";
import { GRPC_PREFIX_BYTES } from "./grpc-frames.js";

/** A unary call whose message has begun to arrive. */
export interface ArrivingCall {
  readonly headers: IncomingHttpHeaders;
  /** What is there of the message: its first bytes, 2 KiB or more. */
  readonly firstBytes: Uint8Array;
  /** Milliseconds the caller still waits; Infinity for ever. */
  readonly timeoutMs: number;
}

/** Enough to judge by; a client that sends fewer at a time has them put together. */
const FIRST_BYTES = 2048;

/** The beginning of a call's message, until there is enough of it. */
export class FirstBytes {
  readonly #headers: IncomingHttpHeaders;
  readonly #messageBytesMax: number;
  #first: Buffer | undefined = Buffer.alloc(0);

  constructor(headers: IncomingHttpHeaders, messageBytesMax: number) {
    this.#headers = headers;
    this.#messageBytesMax = messageBytesMax;
  }

  /**
   * Takes the next piece.
   *
   * @returns What is known of the call, once: when there is enough, unless that is all of the
   * message, or the message will be refused for its length.
   */
  push(piece: Buffer): ArrivingCall | undefined {
    if (this.#first === undefined) return undefined;
    const first = this.#first.length === 0 ? piece : Buffer.concat([this.#first, piece]);
    this.#first = first;
    if (first.length < GRPC_PREFIX_BYTES) return undefined;
    const messageBytes = first.readUInt32BE(1);
    const missingBytes = messageBytes + GRPC_PREFIX_BYTES - first.length;
    if (missingBytes > 0 && first.length < FIRST_BYTES) return undefined;
    this.#first = undefined;
    if (missingBytes <= 0 || messageBytes > this.#messageBytesMax) return undefined;
    return {
      headers: this.#headers,
      firstBytes: first.subarray(GRPC_PREFIX_BYTES),
      timeoutMs: parseGrpcTimeout(this.#headers["grpc-timeout"]),
    };
  }
}

const MS_BY_UNIT: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** Milliseconds of a `grpc-timeout` header; Infinity where there is none that can be read. */
export function parseGrpcTimeout(header: string | string[] | undefined): number {
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(String(header ?? "")) ?? [];
  return digits === undefined ? Number.POSITIVE_INFINITY : Number(digits) * MS_BY_UNIT[unit!]!;
}
