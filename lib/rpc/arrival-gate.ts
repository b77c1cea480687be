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
  /** What is there of the message: its first bytes, at most a frame of 16 KiB. */
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

/**
 * Lets a method refuse a call while its message is still on its way: an overloaded server that first receives
 * what it will not serve has no time left to serve the rest. The caller gets the error as from the method; then
 * the stream is closed with NO_ERROR, which asks the client to send no more (RFC 9113, section 8.1). Messages
 * that are whole with their first frame are left to the method.
 */
export function gateArrivals(http2Server: Http2Server, gate: ArrivalGate): void {
  http2Server.on("stream", (stream, headers) => {
    if (headers[":path"] !== gate.path) return;
    let whole = (): void => {};
    stream.prependOnceListener("data", (chunk: Buffer) => {
      const call = arrivingCall(headers, chunk);
      if (call) whole = judge(stream, call, gate) ?? whole;
    });
    // Before gRPC, which runs the method when it hears of it.
    stream.prependOnceListener("end", () => whole());
    stream.once("close", () => whole());
  });
}

function judge(
  stream: ServerHttp2Stream,
  call: ArrivingCall,
  gate: ArrivalGate,
): (() => void) | undefined {
  try {
    return gate.admit(call);
  } catch (error) {
    if (!(error instanceof ShardpoolError)) throw error;
    refuse(stream, error);
    return undefined;
  }
}

function arrivingCall(headers: IncomingHttpHeaders, chunk: Buffer): ArrivingCall | undefined {
  if (chunk.length < PREFIX_BYTES) return undefined;
  const isCompressed = chunk[0] !== 0;
  const messageBytes = chunk.readUInt32BE(1);
  if (isCompressed || messageBytes <= chunk.length - PREFIX_BYTES) return undefined;
  return {
    headers,
    firstBytes: chunk.subarray(PREFIX_BYTES),
    timeoutMs: parseGrpcTimeout(headers["grpc-timeout"]),
  };
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
