import { ShardpoolError } from "../../lib/errors.js";
import type { Logger } from "../../lib/log.js";
import { giveBack } from "../../lib/rpc/byte-pool.js";
import type { GrpcServerCall } from "../../lib/rpc/grpc-server-call.js";
import { decodeLookupRequest, type LookupRequestMessage } from "../../lib/rpc/lookup-codec.js";
import { type Cancellation, LazyCancellation } from "./cancellation.js";
import { frameReply, toPong, toWireError, type WireReply } from "./lookup-wire.js";

/** Answers of a stream that may wait for its client to read before nothing more is read from it. */
const UNSENT_BYTES_MAX = 8 * 1024 * 1024;

/** Who answers lookups; throws ShardpoolError. The bytes of `wire` last until `lookup` first waits. */
export interface LookupAnswerer {
  lookup(wire: LookupRequestMessage, cancellation: Cancellation): Promise<WireReply>;
}

/** The open lookup streams of a server. */
export class LookupStreams {
  readonly #answerer: LookupAnswerer;
  readonly #log: Logger;
  readonly #messageBytesMax: number;
  readonly #streams = new Set<LookupStream>();

  /** @param messageBytesMax Largest lookup taken. */
  constructor(answerer: LookupAnswerer, log: Logger, messageBytesMax: number) {
    this.#answerer = answerer;
    this.#log = log;
    this.#messageBytesMax = messageBytesMax;
  }

  /** Serves one stream until either end closes it. */
  serve(call: GrpcServerCall): void {
    const stream = new LookupStream(call, this.#answerer, this.#log);
    this.#streams.add(stream);
    stream.start(this.#messageBytesMax, () => this.#streams.delete(stream));
  }

  /** Ends every stream in good order. */
  endAll(): void {
    for (const stream of this.#streams) stream.end();
  }
}

/**
 * One stream: answers lookups in whatever order they are done, errors included, until the client
 * closes its end. A lookup that the client cancels is given up and not answered. A client that does
 * not read is not read from either.
 */
class LookupStream {
  readonly #call: GrpcServerCall;
  readonly #answerer: LookupAnswerer;
  readonly #log: Logger;
  /** Of each lookup in flight, by its correlation id. */
  readonly #inFlight = new Map<number, LazyCancellation>();
  #isHalfClosed = false;
  #isEnded = false;

  constructor(call: GrpcServerCall, answerer: LookupAnswerer, log: Logger) {
    this.#call = call;
    this.#answerer = answerer;
    this.#log = log;
  }

  /** @param onEnd Called once, when the stream is over. */
  start(messageBytesMax: number, onEnd: () => void): void {
    const handlers = {
      onMessage: (message: Buffer) => this.#take(decode(message)),
      onHalfClose: () => {
        this.#isHalfClosed = true;
        this.#endWhenAnswered();
      },
      onClose: () => {
        this.#isEnded = true;
        for (const cancellation of this.#inFlight.values()) cancellation.cancel();
        onEnd();
      },
    };
    this.#call.start(handlers, messageBytesMax);
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#call.end();
  }

  #take(wire: LookupRequestMessage): void {
    if (wire.cancel) this.#inFlight.get(wire.correlationId)?.cancel();
    else if (wire.ping) this.#send(toPong(wire.correlationId));
    else void this.#answer(wire);
  }

  async #answer(wire: LookupRequestMessage): Promise<void> {
    const { correlationId } = wire;
    const cancellation = new LazyCancellation();
    this.#inFlight.set(correlationId, cancellation);
    const reply = await this.#answerer
      .lookup(wire, cancellation)
      .catch((error: unknown) => this.#toReply(wire, error));
    // Another lookup may have come by the same id, if the client is careless.
    if (this.#inFlight.get(correlationId) === cancellation) this.#inFlight.delete(correlationId);
    // Who has cancelled a lookup no longer waits for its answer.
    if (!cancellation.isCancelled) this.#send(reply);
    this.#endWhenAnswered();
  }

  #send(reply: WireReply): void {
    if (this.#isEnded) return;
    const frame = frameReply(reply);
    this.#call.send(frame, giveBack(frame));
    if (this.#call.unsentBytes > UNSENT_BYTES_MAX) this.#call.pauseUntilSent();
  }

  #toReply(wire: LookupRequestMessage, error: unknown): WireReply {
    if (!(error instanceof ShardpoolError)) this.#log.error({ err: error }, "unexpected error");
    return toWireError(wire.correlationId, error);
  }

  #endWhenAnswered(): void {
    if (this.#isHalfClosed && this.#inFlight.size === 0) this.end();
  }
}

/** @throws ShardpoolError REQUEST_INVALID, which ends the stream. */
function decode(message: Buffer): LookupRequestMessage {
  try {
    return decodeLookupRequest(message);
  } catch (error) {
    throw new ShardpoolError("REQUEST_INVALID", "a message that is no LookupRequest", {
      cause: error,
    });
  }
}
