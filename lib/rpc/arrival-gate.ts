import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { ShardpoolError } from "../errors.js";
import { toServiceError } from "./grpc-status.js";
import type { StreamHandler } from "./http2-servers.js";

/** A unary call whose message has begun to arrive. */
export interface ArrivingCall {
  readonly headers: IncomingHttpHeaders;
  /** What is there of the message: its first bytes, 2 KiB or more. */
  readonly firstBytes: Uint8Array;
  /** Milliseconds the caller still waits; Infinity for ever. */
  readonly timeoutMs: number;
}

export interface ArrivalGate {
  /** The method it is for, as `/package.Service/Method`. */
  readonly path: string;
  /**
   * Lets a call go on, or throws.
   *
   * @returns What is called once the message is whole, before the method, and when the call is over.
   * @throws ShardpoolError when the call will not be answered.
   */
  admit(call: ArrivingCall): (() => void) | undefined;
}

/** Bytes before a message: whether it is compressed, and its length. */
const PREFIX_BYTES = 5;
/** Enough to judge by; a client that sends fewer at a time has them put together. */
const FIRST_BYTES = 2048;

/**
 * Lets a method refuse a call while its message is still on its way: an overloaded server that first receives
 * what it will not serve has no time left to serve the rest. The caller gets the error as from the method; then
 * the stream is closed with NO_ERROR, which asks the client to send no more (RFC 9113, section 8.1). A message
 * over the limit is refused so too, with LIMIT_EXCEEDED. Messages that are whole with their first bytes are left
 * to the method, and so are compressed ones. grpc-js hears only of what goes on: a call costs it as much as a
 * refusal costs here.
 */
export function gateArrivals(gate: ArrivalGate, messageBytesMax: number): StreamHandler {
  return (stream, headers, passOn) => {
    stream.on("error", () => {}); // `close` follows, and is what counts.
    if (stream.endAfterHeaders) {
      passOn();
      return;
    }
    let whole = noop;
    collectFirstBytes(stream, (first) => {
      const verdict = judge(headers, first, gate, messageBytesMax);
      if (verdict instanceof ShardpoolError) {
        refuse(stream, verdict);
        return;
      }
      whole = verdict;
      stream.pause();
      stream.unshift(first);
      passOn();
    });
    // Before gRPC, which runs the method when it hears of the end.
    stream.once("end", () => whole());
    stream.once("close", () => whole());
  };
}

/** Calls back once, with `FIRST_BYTES` or the whole message; never when the stream ends before. */
function collectFirstBytes(stream: ServerHttp2Stream, onFirst: (first: Buffer) => void): void {
  let first: Buffer = Buffer.alloc(0);
  const onEnd = (): void => {
    refuse(stream, new ShardpoolError("REQUEST_INVALID", "the call ended within its message"));
  };
  const onData = (chunk: Buffer): void => {
    first = first.length === 0 ? chunk : Buffer.concat([first, chunk]);
    if (first.length < PREFIX_BYTES) return;
    const missingBytes = first.readUInt32BE(1) + PREFIX_BYTES - first.length;
    if (first.length < FIRST_BYTES && missingBytes > 0) return;
    stream.off("data", onData);
    stream.off("end", onEnd);
    onFirst(first);
  };
  stream.on("data", onData);
  stream.once("end", onEnd);
}

/** What is to be called once the message is whole, or why it will not be answered. */
function judge(
  headers: IncomingHttpHeaders,
  first: Buffer,
  gate: ArrivalGate,
  messageBytesMax: number,
): (() => void) | ShardpoolError {
  const isCompressed = first[0] !== 0;
  const messageBytes = first.readUInt32BE(1);
  if (messageBytes > messageBytesMax) {
    const sizes = `${messageBytes} bytes, at most ${messageBytesMax}`;
    return new ShardpoolError("LIMIT_EXCEEDED", `a message has ${sizes} are read`);
  }
  if (isCompressed || messageBytes + PREFIX_BYTES <= first.length) return noop;
  const timeoutMs = parseGrpcTimeout(headers["grpc-timeout"]);
  try {
    return gate.admit({ headers, firstBytes: first.subarray(PREFIX_BYTES), timeoutMs }) ?? noop;
  } catch (error) {
    if (error instanceof ShardpoolError) return error;
    throw error;
  }
}

function noop(): void {}

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

/** Ends a call by trailers alone. */
function refuse(stream: ServerHttp2Stream, error: ShardpoolError): void {
  if (stream.closed || stream.destroyed) return;
  const { code, details, metadata } = toServiceError(error);
  stream.respond(
    {
      ":status": 200,
      "content-type": "application/grpc+proto",
      "grpc-status": code,
      "grpc-message": encodeURI(details ?? ""),
      ...metadata?.toHttp2Headers(),
    },
    { endStream: true },
  );
  stream.close(constants.NGHTTP2_NO_ERROR);
}
