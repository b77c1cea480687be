import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { listenOptionsOf } from "../http/listen.js";
import { FLOW_CONTROL_WINDOW_BYTES } from "./flow-control.js";
import { endWithMessage, type GrpcFrame, GrpcFrameReader, writeFrame } from "./grpc-frames.js";

const {
  HTTP2_HEADER_AUTHORITY,
  HTTP2_HEADER_CONTENT_TYPE,
  HTTP2_HEADER_METHOD,
  HTTP2_HEADER_PATH,
  HTTP2_HEADER_STATUS,
  HTTP2_HEADER_TE,
  NGHTTP2_CANCEL,
  NGHTTP2_REFUSED_STREAM,
} = constants;

export interface GrpcCallHandlers {
  /** The message's bytes may be used until this returns, and no longer. */
  readonly onMessage: (message: Buffer) => void;
  /** The call is over; comes once. */
  readonly onEnd: (error: ServiceError | undefined) => void;
}

/** A call in flight. */
export interface GrpcCall {
  /** Bytes of messages that wait for the server to read. */
  readonly unsentBytes: number;
  /**
   * Sends a message; dropped when the call is over.
   *
   * @param onSent Called once the frame's memory may be used again; never, when the call fails first.
   */
  send(frame: GrpcFrame, onSent?: () => void): void;
  /** The client sends no more. */
  halfClose(): void;
  /** Sends a message without its prefix, and no more after it; it must not change afterwards. */
  sendLast(message: Uint8Array): void;
  /** Gives the call up: `onEnd` comes with CANCELLED. */
  cancel(): void;
}

/** Called once: with the error, or with the encoded answer. */
export type OnUnaryAnswer = (
  ...answer: [error: ServiceError, reply: undefined] | [error: null, reply: Buffer]
) => void;

/** A method as proto-loader defines it. */
export interface UnaryMethod<Request, Reply> {
  readonly path: string;
  requestSerialize(request: Request): Buffer;
  responseDeserialize(bytes: Buffer): Reply;
}

/**
 * One HTTP/2 connection to a gRPC server, for calls of uncompressed messages over it; it does not
 * connect again. It is what grpc-js does below its channels, without the layers that cost nine tenths
 * of the time of a small message (docs/BENCHMARKS.md, Transport). Messages of one turn of the event
 * loop leave together.
 */
export class GrpcSession {
  readonly #session: ClientHttp2Session;
  readonly #authority: string;
  readonly #messageBytesMax: number;

  private constructor(session: ClientHttp2Session, authority: string, messageBytesMax: number) {
    this.#session = session;
    this.#authority = authority;
    this.#messageBytesMax = messageBytesMax;
  }

  /**
   * Connects.
   *
   * @param address `HOST:PORT` or `unix:PATH`.
   * @param messageBytesMax Largest message received.
   * @throws ServiceError UNAVAILABLE.
   */
  static connect(
    address: string,
    timeoutMs: number,
    messageBytesMax: number,
  ): Promise<GrpcSession> {
    const authority = address.startsWith("unix:") ? "localhost" : address;
    return new Promise((resolve, reject) => {
      const session = connectHttp2(`http://${authority}`, {
        createConnection: () => openSocket(address),
        settings: { enablePush: false, initialWindowSize: FLOW_CONTROL_WINDOW_BYTES },
        // Node's 10 MB would count answers that are being read.
        maxSessionMemory: Number.MAX_SAFE_INTEGER,
      });
      const timer = setTimeout(() => {
        reject(serviceError(status.UNAVAILABLE, `no connection within ${timeoutMs} ms`));
        session.destroy();
      }, timeoutMs);
      session.on("error", (error) => reject(serviceError(status.UNAVAILABLE, error.message)));
      session.on("close", () => {
        clearTimeout(timer);
        reject(serviceError(status.UNAVAILABLE, "the connection was closed"));
      });
      // A server has said something of HTTP/2 by then; a socket that is open may be anybody's.
      session.once("remoteSettings", () => {
        clearTimeout(timer);
        session.setLocalWindowSize(FLOW_CONTROL_WINDOW_BYTES);
        resolve(new GrpcSession(session, authority, messageBytesMax));
      });
    });
  }

  /** Opens a call of any kind. */
  call(
    path: string,
    { onMessage, onEnd }: GrpcCallHandlers,
    headers: Readonly<Record<string, string>> = {},
  ): GrpcCall {
    if (this.isOver) {
      queueMicrotask(() => onEnd(serviceError(status.UNAVAILABLE, "the connection is closed")));
      return NO_CALL;
    }
    const stream = this.#session.request({
      ...headers,
      [HTTP2_HEADER_METHOD]: "POST",
      [HTTP2_HEADER_PATH]: path,
      [HTTP2_HEADER_AUTHORITY]: this.#authority,
      [HTTP2_HEADER_CONTENT_TYPE]: "application/grpc+proto",
      [HTTP2_HEADER_TE]: "trailers",
    });
    return watch(stream, new GrpcFrameReader(this.#messageBytesMax, onMessage), onEnd);
  }

  /** Sends one message and waits for one; the server is told how long. */
  unary(path: string, message: Uint8Array, timeoutMs: number, onAnswer: OnUnaryAnswer): void {
    let reply: Buffer | undefined;
    let isLate = false;
    const call = this.call(
      path,
      {
        onMessage: (bytes) => {
          reply = Buffer.from(bytes);
        },
        onEnd: (error) => {
          clearTimeout(timer);
          if (isLate) onAnswer(lateError(timeoutMs), undefined);
          else if (error) onAnswer(error, undefined);
          else if (reply) onAnswer(null, reply);
          else onAnswer(serviceError(status.INTERNAL, "an answer without a message"), undefined);
        },
      },
      { "grpc-timeout": timeoutText(timeoutMs) },
    );
    const timer = setTimeout(() => {
      isLate = true;
      call.cancel();
    }, timeoutMs);
    call.sendLast(message);
  }

  /** Calls a method as proto-loader defines it. @throws ServiceError as the server says, or DEADLINE_EXCEEDED. */
  async ask<Request, Reply>(
    method: UnaryMethod<Request, Reply>,
    request: Request,
    timeoutMs: number,
  ): Promise<Reply> {
    const bytes = await new Promise<Buffer>((resolve, reject) => {
      this.unary(method.path, method.requestSerialize(request), timeoutMs, (error, reply) => {
        if (error) reject(error);
        else resolve(reply);
      });
    });
    return method.responseDeserialize(bytes);
  }

  /** True once no call can be opened: the server asked to go elsewhere, or the connection is over. */
  get isOver(): boolean {
    return this.#session.closed || this.#session.destroyed;
  }

  /** Calls back once when `isOver` becomes true; calls in flight may still be answered. */
  onOver(callback: () => void): void {
    let isTold = false;
    const tell = (): void => {
      if (isTold) return;
      isTold = true;
      queueMicrotask(callback);
    };
    // Node closes a session by itself when the server says GOAWAY.
    this.#session.once("goaway", tell);
    this.#session.once("close", tell);
    if (this.isOver) tell();
  }

  /** Ends the connection and every call on it. */
  close(): void {
    this.#session.destroy();
  }
}

function watch(
  stream: ClientHttp2Stream,
  reader: GrpcFrameReader,
  onEnd: (error: ServiceError | undefined) => void,
): GrpcCall {
  let ending: ServiceError | undefined;
  let isTold = false;
  const end = (error: ServiceError | undefined): void => {
    ending ??= error;
  };
  let hasStatus = false;
  const readStatus = (headers: IncomingHttpHeaders): void => {
    if (headers["grpc-status"] === undefined) return;
    hasStatus = true;
    end(errorOfTrailers(headers));
  };
  stream.on("response", (headers) => {
    const httpStatus = Number(headers[HTTP2_HEADER_STATUS]);
    if (httpStatus !== 200) end(serviceError(status.UNAVAILABLE, `HTTP status ${httpStatus}`));
    readStatus(headers);
  });
  stream.on("trailers", readStatus);
  stream.on("data", (piece: Buffer) => {
    if (ending) return;
    try {
      reader.push(piece);
    } catch (error) {
      end(serviceError(status.INTERNAL, error instanceof Error ? error.message : String(error)));
      stream.close(NGHTTP2_CANCEL);
    }
  });
  stream.on("error", (error) => end(serviceError(status.UNAVAILABLE, error.message)));
  stream.on("end", () => stream.end());
  stream.on("close", () => {
    if (isTold) return;
    isTold = true;
    if (!ending && !hasStatus) ending = errorOfReset(stream.rstCode);
    onEnd(ending);
  });
  return {
    get unsentBytes() {
      return stream.writableLength;
    },
    send: (frame, onSent) => {
      if (!stream.destroyed && !stream.writableEnded) writeFrame(stream, frame, onSent);
    },
    halfClose: () => stream.end(),
    sendLast: (message) => {
      if (!stream.destroyed && !stream.writableEnded) endWithMessage(stream, message);
    },
    cancel: () => {
      end(serviceError(status.CANCELLED, "the client gave the call up"));
      stream.close(NGHTTP2_CANCEL);
    },
  };
}

const NO_CALL: GrpcCall = {
  unsentBytes: 0,
  ...{ send: () => {}, halfClose: () => {}, sendLast: () => {}, cancel: () => {} },
};

/** At most eight digits, as the protocol has it. */
function timeoutText(timeoutMs: number): string {
  const ms = Math.max(1, Math.ceil(timeoutMs));
  return ms < 1e8 ? `${ms}m` : `${Math.ceil(ms / 1000)}S`;
}

/** What a call without an answer by its timeout fails with. */
export function lateError(timeoutMs: number): ServiceError {
  return serviceError(status.DEADLINE_EXCEEDED, `no answer within ${timeoutMs} ms`);
}

function openSocket(address: string): Socket {
  return connectSocket({ ...listenOptionsOf(address), noDelay: true });
}

function errorOfTrailers(headers: IncomingHttpHeaders): ServiceError | undefined {
  const code = Number(headers["grpc-status"]);
  if (code === status.OK) return undefined;
  const text = String(headers["grpc-message"] ?? "");
  return serviceError(code, decodeText(text), Metadata.fromHttp2Headers(headers));
}

function decodeText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // Not every server writes it as the protocol says.
  }
}

/** What a stream that ended without a status means: https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
function errorOfReset(rstCode: number): ServiceError {
  const code = rstCode === NGHTTP2_REFUSED_STREAM ? status.UNAVAILABLE : status.UNKNOWN;
  return serviceError(code, `the stream ended without a status (HTTP/2 code ${rstCode})`);
}

/** An error as grpc-js makes them. */
export function serviceError(
  code: status,
  details: string,
  metadata = new Metadata(),
): ServiceError {
  return Object.assign(new Error(details), { code, details, metadata });
}
