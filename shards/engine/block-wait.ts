import type { Clock } from "../../lib/clock.js";
import { ShardpoolError } from "../../lib/errors.js";
import type { LookupRequest } from "./lookup-request.js";

/** Longest that a timer of Node's takes. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** One lookup's wait for its blocks, which ends well, by an error, or when nobody wants its answer. */
export class BlockWait {
  readonly #request: LookupRequest;
  readonly #clock: Clock;
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;
  #blocksLeft: number;
  #isSettled = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #onAbort = (): void => this.fail(goneError());

  constructor(
    request: LookupRequest,
    blockCount: number,
    clock: Clock,
    resolve: () => void,
    reject: (error: unknown) => void,
  ) {
    this.#request = request;
    this.#blocksLeft = blockCount;
    this.#clock = clock;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Gives up when the caller goes or its time is over, whatever the disk does. */
  watch(): void {
    if (this.#isSettled) return;
    const { signal, deadlineAtMs } = this.#request;
    signal?.addEventListener("abort", this.#onAbort);
    if (deadlineAtMs === undefined) return;
    const leftMs = Math.min(TIMER_MS_MAX, Math.max(0, deadlineAtMs - this.#clock.nowMs()));
    // It may ring early by a fraction of a millisecond; the reads notice the deadline themselves.
    this.#timer = setTimeout(() => this.fail(lateError()), leftMs);
  }

  /** Whether its blocks are worth reading; gives up when they are not. */
  isWorthIt(nowMs: number): boolean {
    if (this.#isSettled) return false;
    const error = reasonToGiveUp(this.#request, nowMs);
    if (error) this.fail(error);
    return error === undefined;
  }

  /** One of its blocks is there. */
  blockCame(): void {
    if (--this.#blocksLeft > 0) return;
    this.#settle();
    this.#resolve();
  }

  fail(error: unknown): void {
    if (this.#isSettled) return;
    this.#settle();
    this.#reject(error);
  }

  #settle(): void {
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#request.signal?.removeEventListener("abort", this.#onAbort);
  }
}

/** Why a lookup is not worth going on with, if so. */
export function reasonToGiveUp(request: LookupRequest, nowMs: number): ShardpoolError | undefined {
  if (request.signal?.aborted) return goneError();
  const { deadlineAtMs } = request;
  return deadlineAtMs !== undefined && nowMs >= deadlineAtMs ? lateError() : undefined;
}

function goneError(): ShardpoolError {
  return new ShardpoolError("CALL_CANCELLED", "the caller has gone");
}

function lateError(): ShardpoolError {
  return new ShardpoolError("DEADLINE_EXCEEDED", "the lookup's time ran out in the shard");
}
