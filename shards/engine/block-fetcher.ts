import { setImmediate as onNextTurn } from "node:timers";
import type { Clock } from "../../lib/clock.js";
import { ShardpoolError } from "../../lib/errors.js";
import type { ShardStore } from "../store/shard-store.js";
import type { PartitionWants } from "./lookup-job.js";
import type { LookupRequest } from "./lookup-request.js";
import { copyWantedRows, type WantedBlock } from "./missed-rows.js";
import type { PartitionCache } from "./partition-cache.js";

/** How long block reads may hold the thread before other lookups get a turn. */
const SLICE_MS = 0.5;

/** One lookup's wait for its blocks. */
interface Wait {
  readonly request: LookupRequest;
  readonly stamp: number;
  blocksLeft: number;
  isSettled: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A block that is to be read, once, for everyone who waits for it. */
interface PendingBlock {
  readonly id: number;
  readonly cache: PartitionCache;
  readonly block: number;
  readonly takers: { readonly wait: Wait; readonly wanted: WantedBlock }[];
}

/**
 * Reads missed blocks, each once however many lookups wait for it, hands their rows out and offers
 * them to the cache. It works in slices, so that lookups that only hit get their turn between them.
 */
export class BlockFetcher {
  readonly #store: ShardStore;
  readonly #clock: Clock;
  readonly #pendingById = new Map<number, PendingBlock>();
  /** In the order asked for; `#pendingById` keeps insertion order. */
  #isScheduled = false;
  #isClosed = false;

  constructor(store: ShardStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Fills what the wants point at.
   *
   * @throws ShardpoolError BLOCK_CORRUPT or FILE_CORRUPT, DEADLINE_EXCEEDED or CALL_CANCELLED as the
   * request says, SERVER_DRAINING after `close`.
   */
  fetch(wants: readonly PartitionWants[], request: LookupRequest, stamp: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const blocksLeft = wants.reduce((sum, { blocks }) => sum + blocks.length, 0);
      const wait: Wait = { request, stamp, blocksLeft, isSettled: false, resolve, reject };
      for (const { cache, blocks } of wants) {
        for (const wanted of blocks) this.#enqueue(cache, wanted, wait);
      }
      if (!this.#isScheduled) this.#readSlice();
    });
  }

  /** Ends every wait; nothing is read afterwards. */
  close(): void {
    this.#isClosed = true;
    const error = new ShardpoolError("SERVER_DRAINING", "the shard is closing");
    for (const pending of this.#pendingById.values()) {
      for (const { wait } of pending.takers) settle(wait, error);
    }
    this.#pendingById.clear();
  }

  #enqueue(cache: PartitionCache, wanted: WantedBlock, wait: Wait): void {
    const id = cache.partition.firstBlock + wanted.block;
    const pending = this.#pendingById.get(id);
    if (pending) pending.takers.push({ wait, wanted });
    else {
      const takers = [{ wait, wanted }];
      this.#pendingById.set(id, { id, cache, block: wanted.block, takers });
    }
  }

  #readSlice(): void {
    this.#isScheduled = false;
    const endMs = this.#clock.nowMs() + SLICE_MS;
    for (const pending of this.#pendingById.values()) {
      this.#pendingById.delete(pending.id);
      this.#read(pending);
      if (this.#clock.nowMs() >= endMs) break;
    }
    if (this.#pendingById.size === 0 || this.#isClosed) return;
    this.#isScheduled = true;
    onNextTurn(() => this.#readSlice());
  }

  #read(pending: PendingBlock): void {
    const { cache, block, takers } = pending;
    for (const { wait } of takers) this.#giveUp(wait);
    const live = takers.filter(({ wait }) => !wait.isSettled);
    if (live.length === 0) return;
    let rows: Buffer;
    try {
      rows = this.#store.readBlock(cache.partition, block);
    } catch (error) {
      for (const { wait } of live) settle(wait, error);
      return;
    }
    cache.countBlockRead();
    for (const { wait, wanted } of live) {
      copyWantedRows(wanted, rows, cache.partition.rowBytes);
      if (--wait.blocksLeft === 0) settle(wait);
    }
    cache.admit(block, rows, live[0]!.wait.stamp);
  }

  /** Nothing is read for a lookup that nobody waits for. */
  #giveUp(wait: Wait): void {
    const error = reasonToGiveUp(wait.request, this.#clock.nowMs());
    if (error) settle(wait, error);
  }
}

/** Why a lookup is not worth going on with, if so. */
export function reasonToGiveUp(request: LookupRequest, nowMs: number): ShardpoolError | undefined {
  if (request.signal?.aborted) {
    return new ShardpoolError("CALL_CANCELLED", "the caller has gone");
  }
  if (request.deadlineAtMs !== undefined && nowMs >= request.deadlineAtMs) {
    return new ShardpoolError("DEADLINE_EXCEEDED", "the lookup's time ran out in the shard");
  }
  return undefined;
}

function settle(wait: Wait, error?: unknown): void {
  if (wait.isSettled) return;
  wait.isSettled = true;
  if (error === undefined) wait.resolve();
  else wait.reject(error);
}
