import { type ServiceError, status } from "@grpc/grpc-js";
import { GrpcSession, lateError, type OnUnaryAnswer, serviceError } from "./grpc-session.js";

export interface GrpcChannelOptions {
  readonly connectTimeoutMs: number;
  /** Largest answer. */
  readonly messageBytesMax: number;
  /** From the end of one try to connect to the next. */
  readonly retryMs: number;
}

/**
 * Unary calls to one address: it connects again when the connection is lost or the server sends it
 * away. Calls made while it connects wait for it; with nobody there they fail at once.
 */
export class GrpcChannel {
  readonly address: string;
  readonly #options: GrpcChannelOptions;
  #session: GrpcSession | undefined;
  #connecting: Promise<void> | undefined;
  #lastError: ServiceError = serviceError(status.UNAVAILABLE, "not connected yet");
  #retryTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** It does nothing before the first call. */
  constructor(address: string, options: GrpcChannelOptions) {
    this.address = address;
    this.#options = options;
  }

  /** Resolves when it is connected. @throws ServiceError UNAVAILABLE when that took too long. */
  async ready(waitMs: number): Promise<void> {
    const until = performance.now() + waitMs;
    do {
      await this.#connect();
      if (this.#session) return;
      await new Promise((resolve) => setTimeout(resolve, this.#options.retryMs));
    } while (performance.now() < until && !this.#isClosed);
    throw this.#lastError;
  }

  /** Sends one message and waits for one. The message must not change until it is answered. */
  unary(path: string, message: Uint8Array, timeoutMs: number, onAnswer: OnUnaryAnswer): void {
    const session = this.#session;
    if (session && !session.isOver) {
      session.unary(path, message, timeoutMs, onAnswer);
      return;
    }
    if (this.#retryTimer || this.#isClosed) {
      queueMicrotask(() => onAnswer(this.#lastError, undefined));
      return;
    }
    const startedAt = performance.now();
    let isLate = false;
    // Connecting may take longer than this call has.
    const timer = setTimeout(() => {
      isLate = true;
      onAnswer(lateError(timeoutMs), undefined);
    }, timeoutMs);
    void this.#connect().then(() => {
      if (isLate) return;
      clearTimeout(timer);
      const leftMs = timeoutMs - (performance.now() - startedAt);
      if (this.#session) this.#session.unary(path, message, Math.max(1, leftMs), onAnswer);
      else onAnswer(this.#lastError, undefined);
    });
  }

  /** What is in flight fails. */
  close(): void {
    this.#isClosed = true;
    this.#lastError = serviceError(status.CANCELLED, "the channel was closed");
    clearTimeout(this.#retryTimer);
    this.#session?.close();
  }

  /** Never throws: without a session afterwards, `#lastError` says why. */
  #connect(): Promise<void> {
    if (this.#session && !this.#session.isOver) return Promise.resolve();
    this.#connecting ??= this.#connectOnce().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #connectOnce(): Promise<void> {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    this.#session = undefined;
    const { connectTimeoutMs, messageBytesMax } = this.#options;
    try {
      const session = await GrpcSession.connect(this.address, connectTimeoutMs, messageBytesMax);
      if (this.#isClosed) session.close();
      else this.#use(session);
    } catch (error) {
      this.#lastError = error as ServiceError;
      this.#retryLater();
    }
  }

  #use(session: GrpcSession): void {
    this.#session = session;
    session.onOver(() => {
      if (this.#session !== session) return;
      this.#session = undefined;
      void this.#connect();
    });
  }

  #retryLater(): void {
    if (this.#isClosed) return;
    this.#retryTimer = setTimeout(() => void this.#connect(), this.#options.retryMs).unref();
  }
}
