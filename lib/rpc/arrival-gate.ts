import {
  constants,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { ShardpoolError } from "../errors.js";
import { toServiceError } from "./grpc-status.js";

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
 * to the method, and so are compressed ones.
 */
export function gateArrivals(
  http2Server: Http2Server,
  gate: ArrivalGate,
  messageBytesMax: number,
): void {
  http2Server.on("stream", (stream, headers) => {
    if (headers[":path"] !== gate.path) return;
    let whole = (): void => {};
    let first: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      first = first.length === 0 ? chunk : Buffer.concat([first, chunk]);
      if (first.length < PREFIX_BYTES) return;
      const missingBytes = first.readUInt32BE(1) + PREFIX_BYTES - first.length;
      if (first.length < FIRST_BYTES && missingBytes > 0) return;
      stream.off("data", onData);
      whole = judge(stream, headers, first, { gate, messageBytesMax }) ?? whole;
    };
    // Before gRPC, which runs the method when it hears of the end.
    stream.prependListener("data", onData);
    stream.prependOnceListener("end", () => whole());
    stream.once("close", () => whole());
  });
}

function judge(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  first: Buffer,
  { gate, messageBytesMax }: { readonly gate: ArrivalGate; readonly messageBytesMax: number },
): (() => void) | undefined {
  const isCompressed = first[0] !== 0;
  const messageBytes = first.readUInt32BE(1);
  try {
    if (messageBytes > messageBytesMax) {
      const sizes = `${messageBytes} bytes, at most ${messageBytesMax}`;
      throw new ShardpoolError("LIMIT_EXCEEDED", `a message has ${sizes} are read`);
    }
    if (isCompressed || messageBytes + PREFIX_BYTES <= first.length) return undefined;
    return gate.admit({
      headers,
      firstBytes: first.subarray(PREFIX_BYTES),
      timeoutMs: parseGrpcTimeout(headers["grpc-timeout"]),
    });
  } catch (error) {
    if (!(error instanceof ShardpoolError)) throw error;
    refuse(stream, error);
    return undefined;
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

/** Ends a call by trailers alone. */
function refuse(stream: ServerHttp2Stream, error: ShardpoolError): void {
  if (stream.headersSent || stream.closed || stream.destroyed) return;
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
