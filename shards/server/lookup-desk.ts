import type { Clock } from "../../lib/clock.js";
import { ShardpoolError } from "../../lib/errors.js";
import type { LookupRequestMessage } from "../../lib/rpc/lookup-codec.js";
import type { LookupEngine } from "../engine/lookup-engine.js";
import type { Cancellation } from "./cancellation.js";
import { LookupSpan } from "./lookup-span.js";
import { toLookupRequest, toWireReply, type WireReply } from "./lookup-wire.js";
import type { ShardMetrics } from "./shard-metrics.js";

/** Takes lookups off the wire, bounded in number, until it drains. */
export class LookupDesk {
  readonly #engine: LookupEngine;
  readonly #clock: Clock;
  readonly #inFlightMax: number;
  readonly #metrics: ShardMetrics;
  #inFlightCount = 0;
  #isDraining = false;
  #onIdle: (() => void) | undefined;

  constructor(engine: LookupEngine, clock: Clock, inFlightMax: number, metrics: ShardMetrics) {
    this.#engine = engine;
    this.#clock = clock;
    this.#inFlightMax = inFlightMax;
    this.#metrics = metrics;
  }

  /** Lookups taken in and not yet answered. */
  get inFlightCount(): number {
    return this.#inFlightCount;
  }

  /**
   * Answers one lookup, counted and traced.
   *
   * @throws ShardpoolError SERVER_DRAINING, SERVER_OVERLOADED, and what the engine throws.
   */
  async lookup(wire: LookupRequestMessage, cancellation: Cancellation): Promise<WireReply> {
    const startedAtMs = this.#clock.nowMs();
    const span = new LookupSpan(wire.traceparent, startedAtMs);
    try {
      const reply = await this.#answer(wire, cancellation);
      const endedAtMs = this.#clock.nowMs();
      span.endWell(endedAtMs, reply.timings ?? undefined);
      this.#metrics.recordLookup("OK", (endedAtMs - startedAtMs) / 1000);
      return reply;
    } catch (error) {
      const code = error instanceof ShardpoolError ? error.code : "INTERNAL";
      const endedAtMs = this.#clock.nowMs();
      span.endBadly(endedAtMs, code);
      this.#metrics.recordLookup(code, (endedAtMs - startedAtMs) / 1000);
      throw error;
    }
  }

  async #answer(wire: LookupRequestMessage, cancellation: Cancellation): Promise<WireReply> {
    this.#admit();
    this.#inFlightCount++;
    try {
      const deadlineAtMs =
        wire.timeoutUs === 0 ? undefined : this.#clock.nowMs() + wire.timeoutUs / 1000;
      const request = toLookupRequest(wire, deadlineAtMs, cancellation);
      return toWireReply(wire, await this.#engine.lookup(request));
    } finally {
      this.#inFlightCount--;
      if (this.#inFlightCount === 0) this.#onIdle?.();
    }
  }

  /** Refuses lookups from here on; resolves when those in flight are answered. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    if (this.#inFlightCount === 0) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }

  #admit(): void {
    if (this.#isDraining) throw new ShardpoolError("SERVER_DRAINING", "the shard is stopping");
    if (this.#inFlightCount >= this.#inFlightMax) {
      throw new ShardpoolError(
        "SERVER_OVERLOADED",
        `${this.#inFlightCount} lookups are in flight, the limit is ${this.#inFlightMax}`,
      );
    }
  }
}
