import type { ServerDuplexStream } from "@grpc/grpc-js";
import { ShardpoolError } from "../../lib/errors.js";
import type { Logger } from "../../lib/log.js";
import type { LookupDesk } from "./lookup-desk.js";
import { toWireError, type WireLookupReply, type WireLookupRequest } from "./lookup-wire.js";

export type LookupCall = ServerDuplexStream<WireLookupRequest, WireLookupReply>;

/** The open lookup streams of a server. */
export class LookupStreams {
  readonly #desk: LookupDesk;
  readonly #log: Logger;
  readonly #streams = new Set<LookupStream>();

  constructor(desk: LookupDesk, log: Logger) {
    this.#desk = desk;
    this.#log = log;
  }

  /** Serves one stream until either end closes it. */
  serve(call: LookupCall): void {
    const stream = new LookupStream(call, this.#desk, this.#log, () =>
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
 * closes its end. A client that does not read is not read from either.
 */
class LookupStream {
  readonly #call: LookupCall;
  readonly #desk: LookupDesk;
  readonly #log: Logger;
  readonly #controller = new AbortController();
  #inFlightCount = 0;
  #isHalfClosed = false;
  #isEnded = false;

  constructor(call: LookupCall, desk: LookupDesk, log: Logger, onEnd: () => void) {
    this.#call = call;
    this.#desk = desk;
    this.#log = log;
    call.on("data", (wire: WireLookupRequest) => void this.#answer(wire));
    call.on("end", () => {
      this.#isHalfClosed = true;
      this.#endWhenAnswered();
    });
    // grpc-js says `cancelled` at every end, good or bad; only a lookup in flight can tell.
    call.on("cancelled", () => {
      this.#isEnded = true;
      this.#controller.abort();
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

  async #answer(wire: WireLookupRequest): Promise<void> {
    this.#inFlightCount++;
    const reply = await this.#desk
      .lookup(wire, this.#controller.signal)
      .catch((error: unknown) => this.#toReply(wire, error));
    this.#inFlightCount--;
    if (this.#isEnded) return;
    if (!this.#call.write(reply)) this.#call.pause();
    this.#endWhenAnswered();
  }

  #toReply(wire: WireLookupRequest, error: unknown): WireLookupReply {
    if (!(error instanceof ShardpoolError)) this.#log.error({ err: error }, "unexpected error");
    return toWireError(wire.correlationId, error);
  }

  #endWhenAnswered(): void {
    if (this.#isHalfClosed && this.#inFlightCount === 0) this.end();
  }
}
