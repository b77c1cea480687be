import { availableParallelism } from "node:os";
import { setImmediate as onNextTurn } from "node:timers";
import type { Clock } from "../../lib/clock.js";
import { ShardpoolError } from "../../lib/errors.js";
import type { ShardStore } from "../store/shard-store.js";
import { BlockWait } from "./block-wait.js";
import type { LookupRequest } from "./lookup-request.js";
import { copyWantedRows, type WantedBlocks } from "./missed-rows.js";
import { NO_TAKER, PendingBlocks } from "./pending-blocks.js";
import { ReadQueue } from "./read-queue.js";
import type { ReadChunk } from "./readers/block-reader.js";
import { ReaderPool, type ReaderPoolOptions } from "./readers/reader-pool.js";

/** How long block reads may hold a thread that has no other lookups to serve, as far as it knows. */
const SLICE_MS = 0.5;

/**
 * Reads that take less than this, all together, are done at once: eight blocks that the page cache
 * has. A hop to a reader and back costs 15 us of processor time and 10 us of waiting at rest, more on
 * a busy machine (benchmark lookup-cold; docs/BENCHMARKS.md has the rates). It is also the longest that a lookup which only hits can be held up by one
 * that misses little.
 */
const INLINE_MS_MAX = 0.05;

/**
 * How long no lookup must have come while others waited for this thread to read along with the readers, `INLINE_MS_MAX` at a
 * time: where lookups come more often than that, none waits for another's blocks.
 */
const QUIET_MS = 1;

/** What a block read is taken to cost before one was timed: the page cache has it. */
const WARM_READ_MS = 0.006;

/**
 * Reads that take less are the processor's work and not the disk's. More readers than processors then
 * only take turns with each other and with the thread that serves.
 */
const DISK_READ_MS_MIN = 0.02;

/** How long the disk counts as busy after this process has read from it: read-around brings many blocks at a time. */
const DISK_QUIET_MS = 100;

/** Blocks this thread reads between two looks at the clock. */
const READS_PER_LOOK = 4;

/** This thread has a processor as well. */
const WARM_READERS_MAX = Math.max(1, availableParallelism() - 1);

const PRUNE_LENGTH_MIN = 16_384;

/** Weight of the newest timing in the running mean. */
const TIMING_WEIGHT = 0.2;

/** How many times the mean a timing counts for at most: a thread that lost its processor is no slow disk. */
const TIMING_JUMP_MAX = 5;

/** How far a timing moves the running median towards it. */
const MEDIAN_STEP = 1.1;

/** A mean or median that is lower would take long to rise again. */
const READ_MS_MIN = 0.001;

/**
 * Reads missed blocks, each once however many lookups wait for it, hands their rows out and offers
 * them to the cache. Few blocks that come quickly are read at once; others by reader threads, so that
 * lookups that only hit are not held up. Without readers it works in slices between other lookups.
 */
export class BlockFetcher {
  readonly #store: ShardStore;
  readonly #clock: Clock;
  readonly #readers: ReaderPool;
  /** Blocks that are to be read or being read. */
  readonly #pending = new PendingBlocks();
  /** Those that nobody reads yet. */
  readonly #queue = new ReadQueue();
  /** Length of the queue at which blocks are looked for that nobody waits for any more. */
  #pruneAt = PRUNE_LENGTH_MIN;
  /** Running mean of what a block read takes. */
  #readMs = WARM_READ_MS;
  /** Running median of the same, which a thread that has to wait for a processor now and then does not raise. */
  #medianReadMs = WARM_READ_MS;
  #diskReads = diskReadsOfProcess();
  #lastDiskReadMs = Number.NEGATIVE_INFINITY;
  #lastLookupMs = Number.NEGATIVE_INFINITY;
  #isScheduled = false;
  #isClosed = false;

  constructor(
    store: ShardStore,
    clock: Clock,
    readers: Omit<ReaderPoolOptions, "storePath" | "partitions">,
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#readers = new ReaderPool(
      { storePath: store.path, partitions: store.catalog.partitions, ...readers },
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
  fetch(wants: readonly WantedBlocks[], request: LookupRequest): Promise<void> {
    return new Promise((resolve, reject) => {
      const wait = new BlockWait(request, blockCountOf(wants), this.#clock, resolve, reject);
      if (this.#isClosed) {
        wait.fail(closingError());
        return;
      }
      for (const wanted of wants) this.#enqueue(wanted, wait);
      if (this.#queue.length > this.#pruneAt) this.#prune();
      this.#pump();
      // Whoever has its blocks by now needs no timer.
      wait.watch();
    });
  }

  /**
   * Does what `fetch` does before it returns, when the wanted blocks are so few and come so quickly
   * that whatever it takes to wait would cost more.
   *
   * @returns Whether it did.
   * @throws ShardpoolError BLOCK_CORRUPT, FILE_CORRUPT or SERVER_DRAINING.
   */
  fetchAtOnce(wants: readonly WantedBlocks[]): boolean {
    const count = blockCountOf(wants);
    if (count === 0 || count * this.#readMs > INLINE_MS_MAX || wants.some(isPending)) return false;
    if (this.#isClosed) throw closingError();
    const startMs = this.#clock.nowMs();
    for (const wanted of wants) {
      const { cache, blocks, firstCopies } = wanted;
      for (let i = 0; i < blocks.length; i++) {
        const rows = this.#store.readBlock(cache.partition, blocks[i]!);
        cache.countBlockRead();
        copyWantedRows(wanted, i, rows, 0);
        cache.admit(blocks[i]!, rows, 0, firstCopies[i + 1]! - firstCopies[i]!);
        this.#store.release(rows);
      }
    }
    this.#timed((this.#clock.nowMs() - startMs) / count);
    return true;
  }

  /** Takes note of a lookup, whether it misses or not. What comes when nobody waits is in nobody's company. */
  lookupCame(nowMs: number): void {
    if (this.#pending.blockCount > 0) this.#lastLookupMs = nowMs;
  }

  /** Ends every wait; nothing is read afterwards. */
  close(): void {
    this.#isClosed = true;
    this.#readers.close();
    this.#pending.failAll(closingError());
    this.#queue.clear();
  }

  #enqueue(wanted: WantedBlocks, wait: BlockWait): void {
    const wants = { wait, wanted };
    const { cache, blocks } = wanted;
    for (let i = 0; i < blocks.length; i++) {
      // A lookup may have waited for its turn since it missed the block.
      const rows = cache.rowsInSlotOf(blocks[i]!);
      if (rows !== undefined) {
        copyWantedRows(wanted, i, rows, 0);
        wait.blockCame();
        continue;
      }
      const pending = this.#pending.add(wants, i);
      if (pending !== undefined) this.#queue.push(pending);
    }
  }

  /** Gets whatever is queued read, as far as there is somebody to read it. */
  #pump(): void {
    if (this.#isClosed || this.#queue.length === 0) return;
    const isQuick = this.#queue.length * this.#readMs <= INLINE_MS_MAX;
    if (isQuick || this.#readers.isEmpty) {
      this.#readSlice(this.#mayReadAlong() ? SLICE_MS : INLINE_MS_MAX);
      return;
    }
    // Until a reader is open this thread makes a start.
    if (this.#readers.openCount === 0) this.#readSlice(SLICE_MS);
    else {
      this.#giveToReaders();
      if (this.#mayReadAlong()) this.#readSlice(INLINE_MS_MAX);
    }
    if (this.#queue.length > 0) this.#readers.grow(this.#usefulReaders);
  }

  #mayReadAlong(): boolean {
    return this.#isWarm && this.#clock.nowMs() - this.#lastLookupMs > QUIET_MS;
  }

  /** Whether the page cache has had the blocks read lately. */
  get #isWarm(): boolean {
    if (this.#medianReadMs >= DISK_READ_MS_MIN) return false;
    return this.#clock.nowMs() - this.#lastDiskReadMs > DISK_QUIET_MS;
  }

  /** By the process's own account: a block of a mapped file that a fault brings takes long, the next ones little. */
  #lookForDiskReads(): void {
    const diskReads = diskReadsOfProcess();
    if (diskReads !== this.#diskReads) this.#lastDiskReadMs = this.#clock.nowMs();
    this.#diskReads = diskReads;
  }

  get #usefulReaders(): number {
    return this.#isWarm ? WARM_READERS_MAX : Number.POSITIVE_INFINITY;
  }

  #giveToReaders(): void {
    const room = this.#readers.roomCount(this.#usefulReaders);
    if (room === 0) return;
    const { chunkBlocks } = this.#readers;
    const reads = this.#takeFromQueue(room * chunkBlocks);
    this.#pending.sortByPlace(reads);
    // As many chunks as it pays to wake readers for; each is a run of neighbours in the file.
    const paying = Math.ceil((reads.length * this.#readMs) / INLINE_MS_MAX);
    const chunkCount = Math.max(Math.ceil(reads.length / chunkBlocks), Math.min(room, paying));
    const share = Math.ceil(reads.length / Math.max(1, chunkCount));
    for (let from = 0; from < reads.length; from += share) {
      const tags = reads.slice(from, from + share);
      this.#readers.submit({ tags, blocks: this.#pending.placesOf(tags) });
    }
  }

  /** The first blocks of the queue; what nobody waits for any more is dropped. */
  #takeFromQueue(countMax: number): number[] {
    const nowMs = this.#clock.nowMs();
    const taken: number[] = [];
    while (taken.length < countMax && this.#queue.length > 0) {
      const pending = this.#queue.shift();
      if (this.#isWanted(pending, nowMs)) taken.push(pending);
      else this.#pending.remove(pending);
    }
    return taken;
  }

  /** Without it, lookups that give up while the disk stands still would fill the memory. */
  #prune(): void {
    const nowMs = this.#clock.nowMs();
    for (let left = this.#queue.length; left > 0; left--) {
      const pending = this.#queue.shift();
      if (this.#isWanted(pending, nowMs)) this.#queue.push(pending);
      else this.#pending.remove(pending);
    }
    this.#pruneAt = Math.max(PRUNE_LENGTH_MIN, 2 * this.#queue.length);
  }

  #isWanted(pending: number, nowMs: number): boolean {
    let isWanted = false;
    // All takers, so that each that is to be given up is.
    for (let taker = pending; taker !== NO_TAKER; taker = this.#pending.nextTaker(taker)) {
      if (this.#pending.wantsOf(taker).wait.isWorthIt(nowMs)) isWanted = true;
    }
    return isWanted;
  }

  #takeChunk({ tags, readMs, errorOf, rows, startOf }: ReadChunk): void {
    if (this.#isClosed) return;
    if (readMs !== undefined) this.#timed(readMs / tags.length);
    this.#lookForDiskReads();
    for (let i = 0; i < tags.length; i++) {
      const error = errorOf(i);
      if (error) this.#fail(tags[i]!, error);
      else this.#handOut(tags[i]!, rows, startOf(i));
    }
    this.#pump();
  }

  /** Reads for so long, and goes on in another turn. */
  #readSlice(sliceMs: number): void {
    if (this.#isScheduled) return;
    const startMs = this.#clock.nowMs();
    const endMs = startMs + sliceMs;
    let count = 0;
    let nowMs = startMs;
    while (nowMs < endMs && this.#queue.length > 0) {
      const reads = this.#takeFromQueue(READS_PER_LOOK);
      for (const pending of reads) this.#readNow(pending);
      nowMs = this.#clock.nowMs();
      count += reads.length;
    }
    if (count > 0) this.#timed((nowMs - startMs) / count);
    this.#lookForDiskReads();
    if (this.#queue.length === 0 || this.#isClosed) return;
    this.#isScheduled = true;
    onNextTurn(() => {
      this.#isScheduled = false;
      this.#pump();
    });
  }

  #readNow(pending: number): void {
    const { cache } = this.#pending.wantsOf(pending).wanted;
    let rows: Uint8Array;
    try {
      rows = this.#store.readBlock(cache.partition, this.#pending.blockOf(pending));
    } catch (error) {
      if (!(error instanceof ShardpoolError)) throw error;
      this.#fail(pending, error);
      return;
    }
    this.#handOut(pending, rows, 0);
    this.#store.release(rows);
  }

  /** @param rows The block's rows from byte `start` on. */
  #handOut(pending: number, rows: Uint8Array, start: number): void {
    const { cache } = this.#pending.wantsOf(pending).wanted;
    const block = this.#pending.blockOf(pending);
    let rowReads = 0;
    for (let taker = pending; taker !== NO_TAKER; taker = this.#pending.nextTaker(taker)) {
      const { wait, wanted } = this.#pending.wantsOf(taker);
      const index = this.#pending.indexOf(taker);
      rowReads += wanted.firstCopies[index + 1]! - wanted.firstCopies[index]!;
      if (wait.isSettled) continue;
      copyWantedRows(wanted, index, rows, start);
      wait.blockCame();
    }
    this.#pending.remove(pending);
    cache.countBlockRead();
    cache.admit(block, rows, start, rowReads);
  }

  #fail(pending: number, error: ShardpoolError): void {
    for (let taker = pending; taker !== NO_TAKER; taker = this.#pending.nextTaker(taker)) {
      this.#pending.wantsOf(taker).wait.fail(error);
    }
    this.#pending.remove(pending);
  }

  #timed(readMs: number): void {
    const timedMs = Math.min(readMs, TIMING_JUMP_MAX * this.#readMs);
    this.#readMs = Math.max(READ_MS_MIN, this.#readMs + TIMING_WEIGHT * (timedMs - this.#readMs));
    const step = readMs > this.#medianReadMs ? MEDIAN_STEP : 1 / MEDIAN_STEP;
    this.#medianReadMs = Math.max(READ_MS_MIN, this.#medianReadMs * step);
  }
}

function diskReadsOfProcess(): number {
  const { fsRead, majorPageFault } = process.resourceUsage();
  return fsRead + majorPageFault;
}

function blockCountOf(wants: readonly WantedBlocks[]): number {
  return wants.reduce((sum, { blocks }) => sum + blocks.length, 0);
}

/** Whether one of the blocks is to be read for somebody already. */
function isPending({ cache, blocks }: WantedBlocks): boolean {
  return blocks.some((block) => cache.pendingOf(block) !== undefined);
}

function closingError(): ShardpoolError {
  return new ShardpoolError("SERVER_DRAINING", "the shard is closing");
}
