import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { status } from "@grpc/grpc-js";
import { ShardpoolError } from "../errors.js";
import { endWithMessage, type GrpcFrame, GrpcFrameReader, writeFrame } from "./grpc-frames.js";
import { toServiceError } from "./grpc-status.js";

const { HTTP2_HEADER_CONTENT_TYPE, HTTP2_HEADER_STATUS, NGHTTP2_NO_ERROR } = constants;

export interface GrpcServerCallHandlers {
  /**
   * Sees each piece that arrives, before any message of it.
   *
   * @throws ShardpoolError to refuse the call; nothing more is read of it then.
   */
  readonly onPiece?: (piece: Buffer) => void;
  /** The message's bytes may be used until this returns, and no longer; what it throws ends the call. */
  readonly onMessage: (message: Buffer) => void;
  /** The client sends no more. */
  readonly onHalfClose: () => void;
  /** The call is over, well or badly; comes once. */
  readonly onClose: () => void;
}

/**
 * The server's end of one gRPC call over an HTTP/2 stream. It does what grpc-js does for a call of
 * uncompressed messages; grpc-js sends one message a turn of the event loop and puts each through a
 * stack of interceptors, which for small messages is nine tenths of the time.
 */
export class GrpcServerCall {
  readonly headers: IncomingHttpHeaders;
  readonly #stream: ServerHttp2Stream;
  #isEnded = false;
  #trailers: Record<string, string> = { "grpc-status": String(status.OK) };

  /** The caller calls `start` before the next turn of the event loop. */
  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.#stream = stream;
    this.headers = headers;
    stream.on("error", () => {}); // `close` follows, and is what counts.
  }

  /** Begins to read. */
  start(handlers: GrpcServerCallHandlers, messageBytesMax: number): void {
    const stream = this.#stream;
    stream.on("wantTrailers", () => stream.sendTrailers(this.#trailers));
    const reader = new GrpcFrameReader(messageBytesMax, handlers.onMessage);
    stream.on("data", (piece: Buffer) => {
      if (this.#isEnded) return;
      try {
        handlers.onPiece?.(piece);
        reader.push(piece);
      } catch (error) {
        this.fail(error);
      }
    });
    stream.on("end", () => {
      if (this.#isEnded) return;
      if (reader.isAtBoundary) handlers.onHalfClose();
      else this.fail(new ShardpoolError("REQUEST_INVALID", "the stream ended within a message"));
    });
    stream.on("close", () => {
      this.#isEnded = true;
      handlers.onClose();
    });
    stream.on("drain", () => stream.resume());
  }

  /** Bytes of messages that wait for the client to read. */
  get unsentBytes(): number {
    return this.#stream.writableLength;
  }

  /**
   * Sends a message; dropped when the call is over.
   *
   * @param onSent Called once the frame's memory may be used again; never, when the call fails first.
   */
  send(frame: GrpcFrame, onSent?: () => void): void {
    if (this.#isEnded || this.#stream.destroyed) return;
    this.#respond();
    writeFrame(this.#stream, frame, onSent);
  }

  /** Sends a message without its prefix, and ends the call; the message must not change afterwards. */
  sendLast(message: Uint8Array): void {
    if (this.#isEnded || this.#stream.destroyed) return;
    this.#isEnded = true;
    this.#respond();
    endWithMessage(this.#stream, message);
  }

  /** Reads nothing more until all that was sent has gone out. */
  pauseUntilSent(): void {
    if (this.#stream.writableLength > 0) this.#stream.pause();
  }

  /** Ends the call in good order, after what was sent. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (this.#stream.destroyed) return;
    this.#respond();
    this.#stream.end();
  }

  /** Ends the call with an error, after what was sent, and asks the client to send no more. */
  fail(error: unknown): void {
    if (this.#isEnded) return;
    const stream = this.#stream;
    const { code = status.UNKNOWN, details = "", metadata } = toServiceError(error);
    this.#trailers = {
      ...(metadata?.toHttp2Headers() as Record<string, string> | undefined),
      "grpc-status": String(code),
      "grpc-message": encodeURI(details),
    };
    if (stream.headersSent) {
      this.end();
      stream.resume(); // What the client still sends is let go.
      return;
    }
    this.#isEnded = true;
    if (stream.destroyed) return;
    stream.respond({ ...RESPONSE_HEADERS, ...this.#trailers }, { endStream: true });
    // RFC 9113, section 8.1: the answer is whole, whatever of the request is still on its way.
    stream.close(NGHTTP2_NO_ERROR);
  }

  #respond(): void {
    if (this.#stream.headersSent) return;
    this.#stream.respond(RESPONSE_HEADERS, { waitForTrailers: true });
  }
}

const RESPONSE_HEADERS = {
  [HTTP2_HEADER_STATUS]: 200,
  [HTTP2_HEADER_CONTENT_TYPE]: "application/grpc+proto",
};
