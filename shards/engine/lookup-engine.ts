import { statSync } from "node:fs";
import { totalmem } from "node:os";
import { type Clock, systemClock } from "../../lib/clock.js";
import { ShardpoolError } from "../../lib/errors.js";
import type { ShardingPlan } from "../../lib/plan/plan.js";
import { accessCounterBytesOf } from "../../lib/stats/access-counter-bytes.js";
import { openShardStore, type ShardStore } from "../store/shard-store.js";
import type { StoreCatalog, StoredPartition } from "../store/store-catalog.js";
import { rowCountOf } from "../store/stored-partition.js";
import {
  AccessCounter,
  type AccessSnapshot,
  DEFAULT_ACCESS_COUNTS_EVERY,
} from "./access-counter.js";
import { type Admission, DEFAULT_ADMISSION } from "./admission/admission-policy.js";
import { BlockFetcher } from "./block-fetcher.js";
import { reasonToGiveUp } from "./block-wait.js";
import { DEFAULT_ENGINE_LIMITS, type EngineLimits } from "./engine-limits.js";
import { HEAP_BYTES, type MemoryParts, totalBytesOf } from "./engine-memory.js";
import { plannedPartitions, sharedOut } from "./held-partitions.js";
import { LookupJob } from "./lookup-job.js";
import { type LookupReply, type LookupRequest, validateLookup } from "./lookup-request.js";
import { LookupTally } from "./lookup-tally.js";
import { layOutMemory } from "./memory-layout.js";
import { MissingValues, type WantedBlocks } from "./missed-rows.js";
import { type PartitionCache, slotBytesOf } from "./partition-cache.js";
import { type PreloadProgress, preloadCaches } from "./preload.js";
import { readerPoolBytesOf } from "./readers/reader-pool.js";
import { RowBuffers } from "./row-buffers.js";
import { WaitingRoom } from "./waiting-room.js";

export type { PreloadProgress } from "./preload.js";

export interface LookupEngineOptions {
  readonly storePath: string;
  /** Where each partition's cacheBytes come from; without it every partition of the store is served. */
  readonly plan?: ShardingPlan;
  /** The shard of the plan; the store's own unless told. */
  readonly shardId?: string;
  /** Row bytes kept in memory, shared out by row bytes; without a plan only. All rows unless told. */
  readonly cacheBytes?: number;
  /** Bound on all memory of the engine; no bound unless told. */
  readonly memoryBytesMax?: number;
  /** Which blocks that were read may take another's place in memory; `DEFAULT_ADMISSION` unless told. */
  readonly admission?: Admission;
  /** Counts the row reads of one lookup in so many; 0 of none. `DEFAULT_ACCESS_COUNTS_EVERY` unless told. */
  readonly accessCountsEvery?: number;
  /** Bytes of one WebAssembly memory; 4 GiB less a page unless told, which is the most there can be. */
  readonly slabBytesMax?: number;
  readonly limits?: Partial<EngineLimits>;
  /** Threads that read blocks; with 0 they are read between lookups. `DEFAULT_READER_COUNT` unless told. */
  readonly readerCount?: number;
  /** Whether block reads map the store into memory; unless told, when memory could hold it twice. */
  readonly mapsStore?: boolean;
  /** The readers' program; tests have their own. */
  readonly readerThread?: URL;
  readonly clock?: Clock;
}

/** A partition as a lookup names it: its number is its place in the engine's list. */
export interface EnginePartition {
  readonly stored: StoredPartition;
  readonly cacheBytesMax: number;
}

/** Counted since the engine was opened. */
export interface PartitionCounters {
  readonly rowsHit: number;
  readonly rowsMissed: number;
  readonly blocksRead: number;
  readonly blocksEvicted: number;
  /** Blocks read that admission kept out. */
  readonly blocksRefused: number;
  readonly cacheBytesResident: number;
}

/** Looks rows up and pools them: the memory tier over one shard store. */
export interface LookupEngine {
  readonly catalog: StoreCatalog;
  readonly partitions: readonly EnginePartition[];
  readonly limits: EngineLimits;
  /** Bytes of memory the engine can come to; less once partitions are in memory as a whole. */
  readonly memoryBytes: number;
  /** What they are for. */
  readonly memoryParts: MemoryParts;
  /** Reader threads that are at work or at rest now; they start as they are wanted. */
  readonly openReaderCount: number;
  /**
   * Sums the rows of every bag. A lookup whose rows are all in memory is done before this returns;
   * one that misses waits without holding others up.
   *
   * @throws ShardpoolError REQUEST_INVALID, ROW_OUT_OF_RANGE, LIMIT_EXCEEDED or PARTITION_NOT_HELD
   * before any row is read; BLOCK_CORRUPT, DEADLINE_EXCEEDED, CALL_CANCELLED, SERVER_OVERLOADED or
   * SERVER_DRAINING.
   */
  lookup(request: LookupRequest): Promise<LookupReply>;
  /**
   * Fills the memory tier with the rows that the statistics say are read most. Lookups may come
   * meanwhile.
   *
   * @param onProgress Called now and then.
   * @returns Blocks read.
   * @throws ShardpoolError FILE_CORRUPT.
   */
  preload(onProgress?: (progress: PreloadProgress) => void): Promise<number>;
  counters(partition: number): PartitionCounters;
  /** Which rows were read how often; undefined when that is not counted. */
  accesses(reset: boolean): AccessSnapshot | undefined;
  /** Lookups in flight are refused with SERVER_DRAINING. */
  close(): void;
}

/**
 * Opens a store for lookups.
 *
 * @throws ShardpoolError CONFIG_INVALID when the caches do not fit `memoryBytesMax`, PLAN_MISMATCH
 * when the store lacks a partition of the plan, and what `openShardStore` throws.
 */
export function openLookupEngine(options: LookupEngineOptions): LookupEngine {
  const store = openShardStore(options.storePath, {
    ...(options.mapsStore !== undefined && { mapsFile: options.mapsStore }),
  });
  try {
    return createEngine(store, options);
  } catch (error) {
    store.close();
    throw error;
  }
}

function createEngine(store: ShardStore, options: LookupEngineOptions): LookupEngine {
  const clock = options.clock ?? systemClock;
  const limits: EngineLimits = { ...DEFAULT_ENGINE_LIMITS, ...options.limits };
  const cached = options.plan
    ? plannedPartitions(store, options.plan, options.shardId ?? store.catalog.shardId)
    : sharedOut(store.catalog.partitions, options.cacheBytes);
  const memory = layOutMemory(
    cached,
    store,
    options.admission ?? DEFAULT_ADMISSION,
    options.slabBytesMax,
  );
  const readers = readerOptions(store, options);
  const every = options.accessCountsEvery ?? DEFAULT_ACCESS_COUNTS_EVERY;
  const rowCounts = cached.map(({ partition }) => rowCountOf(partition));
  const { caches } = memory;
  const otherParts = {
    missedRows: limits.missedBytesMax + keptMissedBytesOf(limits),
    accessCounts:
      every === 0 ? 0 : accessCounterBytesOf(rowCounts.reduce((sum, rows) => sum + rows, 0)),
    readers: readerPoolBytesOf(readers.readerCount, readers.blockBytesMax),
    heap: HEAP_BYTES,
  };
  const memoryBytes = totalBytesOf({ ...memory.parts, ...otherParts });
  if (options.memoryBytesMax !== undefined && memoryBytes > options.memoryBytesMax) {
    throw new ShardpoolError(
      "CONFIG_INVALID",
      `the caches and their index need ${memoryBytes} bytes, memoryBytesMax is ${options.memoryBytesMax}`,
    );
  }
  const fetcher = new BlockFetcher(store, clock, readers);
  const accesses = every === 0 ? undefined : new AccessCounter(rowCounts, every);
  const lookups = new Lookups(caches, fetcher, limits, clock, accesses);
  let isClosed = false;
  return {
    catalog: store.catalog,
    partitions: cached.map(({ partition, cacheBytes }) => ({
      stored: partition,
      cacheBytesMax: cacheBytes,
    })),
    limits,
    get memoryBytes() {
      return totalBytesOf(this.memoryParts);
    },
    get memoryParts() {
      return { ...memory.parts, ...otherParts };
    },
    get openReaderCount() {
      return fetcher.openReaderCount;
    },
    lookup: (request) => lookups.lookup(request),
    preload: (onProgress) => preloadCaches(caches, store, () => isClosed, onProgress),
    counters: (partition) => countersOf(caches[partition]!),
    accesses: (reset) => accesses?.snapshot(reset),
    close: () => {
      isClosed = true;
      fetcher.close();
      store.close();
    },
  };
}

/** Readers enough to keep a disk busy; see docs/BENCHMARKS.md, SSD tier. */
export const DEFAULT_READER_COUNT = 4;

function readerOptions(store: ShardStore, options: LookupEngineOptions) {
  const { storePath, readerCount = DEFAULT_READER_COUNT, readerThread } = options;
  return {
    readerCount,
    ...(readerThread && { threadFile: readerThread }),
    mapsFile: options.mapsStore ?? fitsPageCache(storePath),
    blockBytesMax: Math.max(...store.catalog.partitions.map(slotBytesOf)),
  };
}

/**
 * Whether the page cache can be expected to hold the whole store. Then mapping it is right: what the
 * kernel reads around a block is wanted sooner or later. Else it would drive out what is.
 */
function fitsPageCache(storePath: string): boolean {
  return statSync(storePath).size <= totalmem() / 2;
}

function countersOf(cache: PartitionCache): PartitionCounters {
  return {
    rowsHit: cache.rowsHit,
    rowsMissed: cache.rowsMissed,
    blocksRead: cache.blocksRead,
    blocksEvicted: cache.evictedCount,
    blocksRefused: cache.refusedCount,
    cacheBytesResident: cache.residentBlockCount * slotBytesOf(cache.partition),
  };
}

/** Bytes of buffers for missed rows that are kept for the next lookup: what one that is alone may hold. */
function keptMissedBytesOf({ missedBytesMax }: EngineLimits): number {
  return Math.floor(missedBytesMax / 4);
}

/** Takes lookups from their validation to their answer. */
class Lookups {
  readonly #caches: readonly PartitionCache[];
  readonly #fetcher: BlockFetcher;
  readonly #limits: EngineLimits;
  readonly #clock: Clock;
  readonly #room: WaitingRoom;
  readonly #accesses: AccessCounter | undefined;
  readonly #missing: MissingValues;

  constructor(
    caches: readonly PartitionCache[],
    fetcher: BlockFetcher,
    limits: EngineLimits,
    clock: Clock,
    accesses: AccessCounter | undefined,
  ) {
    this.#accesses = accesses;
    this.#caches = caches;
    this.#fetcher = fetcher;
    this.#limits = limits;
    this.#clock = clock;
    this.#missing = new MissingValues(new RowBuffers(keptMissedBytesOf(limits)));
    this.#room = new WaitingRoom(limits.waitingMax, limits.queuedMax, limits.missedBytesMax);
  }

  async lookup(request: LookupRequest): Promise<LookupReply> {
    const pooledCount = validateLookup(request, this.#caches, this.#limits);
    this.#accesses?.count(request);
    const { hasRoom } = this.#room;
    const tally = new LookupTally(hasRoom ? this.#room.nextShare : 0, this.#clock);
    this.#fetcher.lookupCame(tally.startedAtMs);
    const job = new LookupJob(request, this.#caches, pooledCount, tally, this.#missing);
    let wants = job.advance(hasRoom);
    if (wants !== undefined && this.#fetchAtOnce(job, wants)) wants = job.advance(true);
    return wants === undefined ? job.reply() : this.#waitForBlocks(job, wants);
  }

  /** What a lookup that misses little does: it is done with before others get a turn. */
  #fetchAtOnce({ request, tally }: LookupJob, wants: readonly WantedBlocks[]): boolean {
    if (wants.length === 0) return false;
    const error = this.#reasonToGiveUp(request);
    if (error) throw error;
    if (!this.#fetcher.fetchAtOnce(wants)) return false;
    tally.blocksCame(wants);
    return true;
  }

  #reasonToGiveUp(request: LookupRequest): ShardpoolError | undefined {
    // Without a deadline, nobody asks what time it is.
    return reasonToGiveUp(request, request.deadlineAtMs === undefined ? 0 : this.#clock.nowMs());
  }

  async #waitForBlocks(job: LookupJob, firstWants: readonly WantedBlocks[]): Promise<LookupReply> {
    const { request, tally } = job;
    const entered = this.#room.enter();
    const share = typeof entered === "number" ? entered : await entered;
    try {
      tally.queueLap();
      let wants: readonly WantedBlocks[] | undefined = firstWants;
      if (firstWants.length === 0) {
        // Without room at first, nothing was wanted yet.
        tally.missedBytesLeft = share;
        wants = job.advance(true);
      }
      while (wants !== undefined) {
        const error = this.#reasonToGiveUp(request);
        if (error) throw error;
        await this.#fetcher.fetch(wants, request);
        tally.blocksCame(wants);
        wants = job.advance(true);
      }
      return job.reply();
    } finally {
      this.#room.leave(share);
    }
  }
}
