import { setImmediate as nextTurn } from "node:timers/promises";
import { ShardpoolError } from "../../lib/errors.js";
import type { ShardStore } from "../store/shard-store.js";
import type { PartitionCache } from "./partition-cache.js";
import { fillInRowIdOrder } from "./row-id-order.js";

/** Blocks read before other work of the process gets a turn: some milliseconds. */
const BLOCKS_PER_TURN = 256;

/** How far preloading is. */
export interface PreloadProgress {
  readonly blocksRead: number;
  /** Blocks it will have read, those in memory before left out. */
  readonly blockCount: number;
}

/**
 * Fills the caches with the first blocks of their partitions, which hold the rows that were read most.
 * They go in from the last to the first, so that the LRU takes the hottest for the most recent.
 *
 * A partition whose rows all fit is brought in by row id instead; with a block that cannot be read, it
 * goes the way of the others.
 *
 * A block that fails its checksum is left out: the lookup that wants it says so.
 *
 * @param isStopped Asked between reads; the rest is left out once it is true.
 * @param onProgress Called now and then.
 * @returns Blocks read.
 * @throws ShardpoolError FILE_CORRUPT when SQLite cannot follow the file.
 */
export async function preloadCaches(
  caches: readonly PartitionCache[],
  store: ShardStore,
  isStopped: () => boolean,
  onProgress: (progress: PreloadProgress) => void = () => {},
): Promise<number> {
  let blocksRead = 0;
  const blockCount = caches.reduce((sum, cache) => sum + blocksToRead(cache), 0);
  const readBlock = (cache: PartitionCache, block: number) => {
    if (++blocksRead % BLOCKS_PER_TURN === 0) onProgress({ blocksRead, blockCount });
    return readIntactBlock(store, cache, block);
  };
  const release = (rows: Uint8Array): void => store.release(rows);
  for (const cache of caches) {
    if (cache.canOrderByRowId && !cache.isOrderedByRowId) {
      await fillInRowIdOrder(cache, { readBlock, release }, BLOCKS_PER_TURN, isStopped);
    }
    if (cache.isOrderedByRowId) continue;
    for (let block = cache.slotCount - 1; block >= 0; block--) {
      if (cache.isResident(block)) continue;
      if (cache.isFull || isStopped()) break;
      const rows = readBlock(cache, block);
      if (rows) {
        cache.admit(block, rows, 0, 0);
        store.release(rows);
      }
      if (blocksRead % BLOCKS_PER_TURN === 0) await nextTurn();
    }
  }
  return blocksRead;
}

function blocksToRead(cache: PartitionCache): number {
  if (cache.isOrderedByRowId) return 0;
  return cache.canOrderByRowId ? cache.slotCount : cache.slotCount - cache.residentBlockCount;
}

function readIntactBlock(
  store: ShardStore,
  cache: PartitionCache,
  block: number,
): Buffer | undefined {
  try {
    return store.readBlock(cache.partition, block);
  } catch (error) {
    if (error instanceof ShardpoolError && error.code === "BLOCK_CORRUPT") return undefined;
    throw error;
  }
}
