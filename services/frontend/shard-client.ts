import { ShardpoolError } from "../../lib/errors.js";
import type { Logger } from "../../lib/log.js";
import { Random } from "../../lib/random.js";
import { BackOff } from "./back-off.js";
import {
  type AbandonLookup,
  type LookupBody,
  type LookupWaiter,
  type OpenShardLink,
  ShardConnection,
  type ShardLink,
  type ShardTarget,
} from "./shard-connection.js";

export interface ShardClientOptions extends ShardTarget {
  readonly lookupsInFlightMax: number;
  readonly log: Logger;
  /** Seeds the jitter of the back-off. */
  readonly seed: number;
  /** Called after every change of `isReady`. */
  readonly onReadyChange: () => void;
  /** How the shard is reached; over gRPC unless told. */
  readonly openLink?: OpenShardLink;
  /** Runs `callback` after `delayMs`; returns what cancels it. Timers of Node unless told. */
  readonly schedule?: (callback: () => void, delayMs: number) => () => void;
}

/** A try to connect takes at most this; a shard that is up answers Describe in milliseconds. */
const CONNECT_TIMEOUT_MS = 2000;
/** A shard that restarts is found soon; one that stays away costs a try a second. */
const FIRST_RETRY_MS = 50;
const RETRY_MS_MAX = 1000;

/**
 * A shard as the frontend knows it: connected or not, and connected again by itself after the
 * connection is lost. A lookup never waits for a connection: without one it fails at once, so that
 * the caller can turn to a replica or tell the client.
 */
export class ShardClient {
  readonly shardId: string;
  readonly #options: ShardClientOptions;
  readonly #backOff: BackOff;
  #connection: ShardLink | undefined;
  #lastError: ShardpoolError;
  #cancelRetry: () => void = () => {};
  #isClosed = false;

  /** The caller closes it. It does nothing before `connect`. */
  constructor(options: ShardClientOptions) {
    this.shardId = options.shardId;
    this.#options = options;
    this.#backOff = new BackOff({
      firstDelayMs: FIRST_RETRY_MS,
      delayMsMax: RETRY_MS_MAX,
      random: new Random(options.seed, `back-off ${options.shardId}`),
    });
    this.#lastError = this.#unavailable("not connected yet");
  }

  /** Starts connecting, and keeps at it. */
  connect(): void {
    void this.#connectOnce();
  }

  get isReady(): boolean {
    return this.#connection !== undefined;
  }

  get inFlightCount(): number {
    return this.#connection?.inFlightCount ?? 0;
  }

  /** Why the shard cannot be asked, while `isReady` is false. */
  get lastError(): ShardpoolError {
    return this.#lastError;
  }

  /** The shard's number of a partition it holds, from the connection that is open. */
  partitionNumber(partitionId: string): number {
    const number = this.#connection?.partitionNumbers.get(partitionId);
    if (number === undefined) throw this.#lastError;
    return number;
  }

  /**
   * Sends a lookup on the open connection.
   *
   * @throws ShardpoolError SHARD_UNAVAILABLE at once without a connection, SERVER_OVERLOADED with
   * `lookupsInFlightMax` lookups in flight.
   */
  lookup(body: LookupBody, waiter: LookupWaiter): AbandonLookup {
    if (!this.#connection) throw this.#lastError;
    const { lookupsInFlightMax } = this.#options;
    if (this.#connection.inFlightCount >= lookupsInFlightMax) {
      throw new ShardpoolError(
        "SERVER_OVERLOADED",
        `${this.shardId} has ${lookupsInFlightMax} lookups in flight, the most allowed`,
      );
    }
    return this.#connection.lookup(body, waiter);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelRetry();
    this.#connection?.close();
  }

  async #connectOnce(): Promise<void> {
    try {
      const open = this.#options.openLink ?? ShardConnection.open;
      const connection = await open(this.#options, CONNECT_TIMEOUT_MS);
      if (this.#isClosed) connection.close();
      else await this.#use(connection);
    } catch (error) {
      // A partition missing today may be there after the shard's restart, so every error is tried again.
      this.#lastError =
        error instanceof ShardpoolError ? error : this.#unavailable(String(error), error);
    }
    if (!this.#isClosed) this.#retryLater();
  }

  /** Serves lookups through the connection until it is lost. */
  async #use(connection: ShardLink): Promise<void> {
    const { log, address, onReadyChange } = this.#options;
    this.#connection = connection;
    this.#backOff.reset();
    log.info({ shard: this.shardId, address }, "shard connected");
    onReadyChange();

    this.#lastError = await connection.ended;
    this.#connection = undefined;
    if (this.#isClosed) return;
    log.warn({ shard: this.shardId, address, err: this.#lastError }, "shard lost");
    onReadyChange();
  }

  #retryLater(): void {
    const schedule = this.#options.schedule ?? scheduleTimer;
    this.#cancelRetry = schedule(() => void this.#connectOnce(), this.#backOff.nextDelayMs());
  }

  #unavailable(detail: string, cause?: unknown): ShardpoolError {
    const { address } = this.#options;
    return new ShardpoolError("SHARD_UNAVAILABLE", `${this.shardId} at ${address}: ${detail}`, {
      cause,
    });
  }
}

function scheduleTimer(callback: () => void, delayMs: number): () => void {
  const timer = setTimeout(callback, delayMs);
  return () => clearTimeout(timer);
}
