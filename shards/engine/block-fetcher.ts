import { setImmediate as onNextTurn } from "node:timers";
import type { Clock } from "../../lib/clock.js";
import { ShardpoolError } from "../../lib/errors.js";
import type { ShardStore } from "../store/shard-store.js";
import { BlockWait, type PendingBlock } from "./block-wait.js";
import type { PartitionWants } from "./lookup-job.js";
import type { LookupRequest } from "./lookup-request.js";
import { copyWantedRows, type WantedBlock } from "./missed-rows.js";
import type { PartitionCache } from "./partition-cache.js";
import type { ReadChunk } from "./readers/block-reader.js";
import { ReaderPool, type ReaderPoolOptions } from "./readers/reader-pool.js";

/** How long block reads may hold the thread before other lookups get a turn. */
const SLICE_MS = 0.5;

/**
 * Reads that take less than this, all together, are done at once: eight blocks that the page cache
 * has. A hop to a reader and back costs 15 us of processor time and 10 us of waiting at rest, more on
 * a busy machine (benchmark lookup-cold; docs/BENCHMARKS.md has the rates). It is also the longest that a lookup which only hits can be held up by one
 * that misses little.
 */
const INLINE_MS_MAX = 0.05;

/** What a block read is taken to cost before one was timed: the page cache has it. */
const WARM_READ_MS = 0.006;

const PRUNE_LENGTH_MIN = 16_384;

/** Weight of the newest timing in the running mean. */
const TIMING_WEIGHT = 0.2;

/**
 * Reads missed blocks, each once however many lookups wait for it, hands their rows out and offers
 * them to the cache. Few blocks that come quickly are read at once; others by reader threads, so that
 * lookups that only hit are not held up. Without readers it works in slices between other lookups.
 */
export class BlockFetcher {
  readonly #store: ShardStore;
  readonly #clock: Clock;
  readonly #readers: ReaderPool<PendingBlock>;
  /** Blocks that are to be read or being read. */
  readonly #pendingById = new Map<number, PendingBlock>();
  /** Blocks that nobody reads yet, in the order asked for. */
  #queue: PendingBlock[] = [];
  /** Length of the queue at which blocks are looked for that nobody waits for any more. */
  #pruneAt = PRUNE_LENGTH_MIN;
  /** Running mean of what a block read takes. */
  #readMs = WARM_READ_MS;
  #isScheduled = false;
  #isClosed = false;

  constructor(store: ShardStore, clock: Clock, readers: Omit<ReaderPoolOptions, "storePath">) {
    this.#store = store;
    this.#clock = clock;
    this.#readers = new ReaderPool(
      { storePath: store.path, ...readers },
      (chunk) => this.#takeChunk(chunk),
      () => this.#pump(),
    );
  }

  get openReaderCount(): number {
    return this.#readers.openCount;
  }

  /**
   * Fills what the wants point at.
   *
   * @throws ShardpoolError BLOCK_CORRUPT or FILE_CORRUPT, DEADLINE_EXCEEDED or CALL_CANCELLED as the
   * request says, READER_FAILED, SERVER_DRAINING after `close`.
   */
  fetch(wants: readonly PartitionWants[], request: LookupRequest): Promise<void> {
    return new Promise((resolve, reject) => {
      const blockCount = wants.reduce((sum, { blocks }) => sum + blocks.length, 0);
      const wait = new BlockWait(request, blockCount, this.#clock, resolve, reject);
      if (this.#isClosed) wait.fail(closingError());
      for (const { cache, blocks } of wants) {
        for (const wanted of blocks) this.#enqueue(cache, wanted, wait);
      }
      if (this.#queue.length > this.#pruneAt) this.#prune();
      this.#pump();
      // Whoever has its blocks by now needs no timer.
      wait.watch();
    });
  }

  /** Ends every wait; nothing is read afterwards. */
  close(): void {
    this.#isClosed = true;
    this.#readers.close();
    const error = closingError();
    for (const { takers } of this.#pendingById.values()) {
      for (const { wait } of takers) wait.fail(error);
    }
    this.#pendingById.clear();
    this.#queue = [];
  }

  #enqueue(cache: PartitionCache, wanted: WantedBlock, wait: BlockWait): void {
    const id = cache.partition.firstBlock + wanted.block;
    const pending = this.#pendingById.get(id);
    if (pending) {
      pending.takers.push({ wait, wanted });
      return;
    }
    const { partition } = cache;
    const added = { id, cache, partition, block: wanted.block, takers: [{ wait, wanted }] };
    this.#pendingById.set(id, added);
    this.#queue.push(added);
  }

  /** Gets whatever is queued read, as far as there is somebody to read it. */
  #pump(): void {
    if (this.#isClosed || this.#isScheduled || this.#queue.length === 0) return;
    const isQuick = this.#queue.length * this.#readMs <= INLINE_MS_MAX;
    if (isQuick || this.#readers.isEmpty) this.#readSlice();
    else {
      // Until a reader is open this thread makes a start.
      if (this.#readers.openCount > 0) this.#giveToReaders();
      else this.#readSlice();
      if (this.#queue.length > 0) this.#readers.grow();
    }
  }

  #giveToReaders(): void {
    const room = this.#readers.roomCount;
    if (room === 0) return;
    const { chunkBlocks } = this.#readers;
    const reads = this.#takeFromQueue(room * chunkBlocks).sort((a, b) => a.id - b.id);
    // As many chunks as it pays to wake readers for; each is a run of neighbours in the file.
    const paying = Math.ceil((reads.length * this.#readMs) / INLINE_MS_MAX);
    const chunkCount = Math.max(Math.ceil(reads.length / chunkBlocks), Math.min(room, paying));
    const share = Math.ceil(reads.length / Math.max(1, chunkCount));
    for (let from = 0; from < reads.length; from += share) {
      this.#readers.submit(reads.slice(from, from + share));
    }
  }

  /** The first blocks of the queue; what nobody waits for any more is dropped. */
  #takeFromQueue(countMax: number): PendingBlock[] {
    const taken: PendingBlock[] = [];
    let seen = 0;
    while (seen < this.#queue.length && taken.length < countMax) {
      const pending = this.#queue[seen++]!;
      if (this.#isWanted(pending)) taken.push(pending);
      else this.#pendingById.delete(pending.id);
    }
    this.#queue.splice(0, seen);
    return taken;
  }

  /** Without it, lookups that give up while the disk stands still would fill the memory. */
  #prune(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const pending of queue) {
      if (this.#isWanted(pending)) this.#queue.push(pending);
      else this.#pendingById.delete(pending.id);
    }
    this.#pruneAt = Math.max(PRUNE_LENGTH_MIN, 2 * this.#queue.length);
  }

  #isWanted({ takers }: PendingBlock): boolean {
    const nowMs = this.#clock.nowMs();
    // All of them, so that each that is to be given up is.
    return takers.filter(({ wait }) => wait.isWorthIt(nowMs)).length > 0;
  }

  #takeChunk({ reads, readMs, rowsOf }: ReadChunk<PendingBlock>): void {
    if (this.#isClosed) return;
    if (readMs !== undefined) this.#timed(readMs / reads.length);
    for (const [index, pending] of reads.entries()) this.#handOut(pending, rowsOf(index));
    this.#pump();
  }

  #readSlice(): void {
    const startMs = this.#clock.nowMs();
    const endMs = startMs + SLICE_MS;
    let count = 0;
    let nowMs = startMs;
    while (nowMs < endMs) {
      const [pending] = this.#takeFromQueue(1);
      if (pending === undefined) break;
      this.#handOut(pending, this.#read(pending));
      nowMs = this.#clock.nowMs();
      count++;
    }
    if (count > 0) this.#timed((nowMs - startMs) / count);
    if (this.#queue.length === 0 || this.#isClosed) return;
    this.#isScheduled = true;
    onNextTurn(() => {
      this.#isScheduled = false;
      this.#pump();
    });
  }

  #read({ partition, block }: PendingBlock): Uint8Array | ShardpoolError {
    try {
      return this.#store.readBlock(partition, block);
    } catch (error) {
      if (error instanceof ShardpoolError) return error;
      throw error;
    }
  }

  #handOut(pending: PendingBlock, outcome: Uint8Array | ShardpoolError): void {
    const { id, cache, block, takers } = pending;
    this.#pendingById.delete(id);
    if (outcome instanceof ShardpoolError) {
      for (const { wait } of takers) wait.fail(outcome);
      return;
    }
    cache.countBlockRead();
    let rowReads = 0;
    for (const { wait, wanted } of takers) {
      rowReads += wanted.copies.length / 2;
      if (wait.isSettled) continue;
      copyWantedRows(wanted, outcome, cache.partition.rowBytes);
      wait.blockCame();
    }
    cache.admit(block, outcome, rowReads);
  }

  #timed(readMs: number): void {
    this.#readMs += TIMING_WEIGHT * (readMs - this.#readMs);
  }
}

function closingError(): ShardpoolError {
  return new ShardpoolError("SERVER_DRAINING", "the shard is closing");
}
