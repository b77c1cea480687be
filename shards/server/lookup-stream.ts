import type { ServerDuplexStream } from "@grpc/grpc-js";
import { ShardpoolError } from "../../lib/errors.js";
import type { Logger } from "../../lib/log.js";
import type { LookupRequestMessage } from "../../lib/rpc/lookup-codec.js";
import { toPong, toWireError, type WireReply } from "./lookup-wire.js";

export type LookupCall = ServerDuplexStream<LookupRequestMessage, WireReply>;

/** Who answers lookups; throws ShardpoolError. */
export interface LookupAnswerer {
  lookup(wire: LookupRequestMessage, signal: AbortSignal): Promise<WireReply>;
}

/** The open lookup streams of a server. */
export class LookupStreams {
  readonly #answerer: LookupAnswerer;
  readonly #log: Logger;
  readonly #streams = new Set<LookupStream>();

  constructor(answerer: LookupAnswerer, log: Logger) {
    this.#answerer = answerer;
    this.#log = log;
  }

  /** Serves one stream until either end closes it. */
  serve(call: LookupCall): void {
    const stream = new LookupStream(call, this.#answerer, this.#log, () =>
      this.#streams.delete(stream),
    );
    this.#streams.add(stream);
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
  readonly #call: LookupCall;
  readonly #answerer: LookupAnswerer;
  readonly #log: Logger;
  /** Of each lookup in flight, by its correlation id. */
  readonly #controllers = new Map<number, AbortController>();
  #isHalfClosed = false;
  #isEnded = false;

  constructor(call: LookupCall, answerer: LookupAnswerer, log: Logger, onEnd: () => void) {
    this.#call = call;
    this.#answerer = answerer;
    this.#log = log;
    call.on("data", (wire: LookupRequestMessage) => {
      if (wire.cancel) this.#controllers.get(wire.correlationId)?.abort();
      else if (wire.ping) this.#send(toPong(wire.correlationId));
      else void this.#answer(wire);
    });
    call.on("end", () => {
      this.#isHalfClosed = true;
      this.#endWhenAnswered();
    });
    // grpc-js says `cancelled` at every end, good or bad; only a lookup in flight can tell.
    call.on("cancelled", () => {
      this.#isEnded = true;
      for (const controller of this.#controllers.values()) controller.abort();
      onEnd();
    });
    call.on("error", (error) => log.warn({ err: error }, "lookup stream failed"));
    call.on("drain", () => call.resume());
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#call.end();
  }

  async #answer(wire: LookupRequestMessage): Promise<void> {
    const { correlationId } = wire;
    const controller = new AbortController();
    this.#controllers.set(correlationId, controller);
    const reply = await this.#answerer
      .lookup(wire, controller.signal)
      .catch((error: unknown) => this.#toReply(wire, error));
    // Another lookup may have come by the same id, if the client is careless.
    if (this.#controllers.get(correlationId) === controller) {
      this.#controllers.delete(correlationId);
    }
    // Who has cancelled a lookup no longer waits for its answer.
    if (!controller.signal.aborted) this.#send(reply);
    this.#endWhenAnswered();
  }

  #send(reply: WireReply): void {
    if (!this.#isEnded && !this.#call.write(reply)) this.#call.pause();
  }

  #toReply(wire: LookupRequestMessage, error: unknown): WireReply {
    if (!(error instanceof ShardpoolError)) this.#log.error({ err: error }, "unexpected error");
    return toWireError(wire.correlationId, error);
  }

  #endWhenAnswered(): void {
    if (this.#isHalfClosed && this.#controllers.size === 0) this.end();
  }
}
