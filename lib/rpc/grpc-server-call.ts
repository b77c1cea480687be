import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { Metadata, status } from "@grpc/grpc-js";
import { ShardpoolError } from "../errors.js";
import { type GrpcFrame, GrpcFrameReader } from "./grpc-frames.js";
import { toServiceError } from "./grpc-status.js";

const { HTTP2_HEADER_CONTENT_TYPE, HTTP2_HEADER_STATUS } = constants;

export interface GrpcServerCallHandlers {
  /** The message's bytes may be used until this returns, and no longer. */
  readonly onMessage: (message: Buffer) => void;
  /** The client sends no more. */
  readonly onHalfClose: () => void;
  /** The call is over, well or badly; comes once. */
  readonly onClose: () => void;
}

/**
 * The server's end of one gRPC call over an HTTP/2 stream. It does what grpc-js does for a call of
 * uncompressed messages; grpc-js sends one message a turn of the event loop and puts each through a
 * stack of interceptors, which on a stream of small messages is nine tenths of the time.
 */
export class GrpcServerCall {
  readonly metadata: Metadata;
  readonly #stream: ServerHttp2Stream;
  #isEnded = false;
  #trailers: Record<string, string> = { "grpc-status": String(status.OK) };

  /** Answers the headers at once. The caller calls `start` before the next turn of the event loop. */
  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.#stream = stream;
    this.metadata = Metadata.fromHttp2Headers(headers);
    stream.on("error", () => {}); // `close` follows, and is what counts.
  }

  /** Begins to read. */
  start(handlers: GrpcServerCallHandlers, messageBytesMax: number): void {
    const stream = this.#stream;
    stream.respond(
      { [HTTP2_HEADER_STATUS]: 200, [HTTP2_HEADER_CONTENT_TYPE]: "application/grpc+proto" },
      { waitForTrailers: true },
    );
    stream.on("wantTrailers", () => stream.sendTrailers(this.#trailers));
    const reader = new GrpcFrameReader(messageBytesMax, handlers.onMessage);
    stream.on("data", (piece: Buffer) => {
      if (this.#isEnded) return;
      try {
        reader.push(piece);
      } catch (error) {
        this.fail(error);
      }
    });
    stream.on("end", () => {
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

  /** Sends a message; dropped when the call is over. The frame must not change afterwards. */
  send(frame: GrpcFrame): void {
    if (!this.#isEnded && !this.#stream.destroyed) this.#stream.write(frame);
  }

  /** Reads nothing more until all that was sent has gone out. */
  pauseUntilSent(): void {
    if (this.#stream.writableLength > 0) this.#stream.pause();
  }

  /** Ends the call in good order, after what was sent. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#stream.end();
  }

  /** Ends the call with an error, after what was sent. */
  fail(error: unknown): void {
    if (this.#isEnded) return;
    const { code = status.UNKNOWN, details = "", metadata } = toServiceError(error);
    this.#trailers = {
      ...(metadata?.toHttp2Headers() as Record<string, string> | undefined),
      "grpc-status": String(code),
      "grpc-message": encodeURI(details),
    };
    this.end();
    this.#stream.resume(); // What the client still sends is let go.
  }
}
