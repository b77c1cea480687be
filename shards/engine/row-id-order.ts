import { setImmediate as nextTurn } from "node:timers/promises";
import type { PartitionCache } from "./partition-cache.js";
import { PLACED_IDS_MAX } from "./placement.js";

/** Reads a block's rows; nothing when it is corrupt. */
export type IntactBlockReader = (cache: PartitionCache, block: number) => Uint8Array | undefined;

/**
 * Brings a partition into memory as a whole, each row where its id says, so that nothing has to be looked up
 * to find it. Row ids are walked from the first to the last. As the rows of a class lie in row-id order,
 * at most 16 blocks are at hand at a time, and each is read once.
 *
 * When a block is corrupt, or `isStopped`, the cache is left empty and in placement order.
 *
 * @param blocksPerTurn Blocks' worth of rows copied before other work of the process gets a turn.
 * @throws What `readBlock` throws; the cache is empty and in placement order then.
 */
export async function fillInRowIdOrder(
  cache: PartitionCache,
  readBlock: IntactBlockReader,
  blocksPerTurn: number,
  isStopped: () => boolean,
): Promise<void> {
  const blocks = new BlocksAtHand(cache, readBlock);
  const { rowCount } = cache;
  const rowsPerTurn = Math.min(PLACED_IDS_MAX, blocksPerTurn * cache.partition.rowsPerBlock);
  let isWhole = false;
  cache.beginRowIdOrder();
  try {
    let row = 0;
    while (row < rowCount && !isStopped()) {
      const positions = cache.positionsOf(row, Math.min(rowsPerTurn, rowCount - row));
      if (!copyRows(cache, blocks, row, positions)) break;
      row += positions.length;
      await nextTurn();
    }
    isWhole = row === rowCount;
  } finally {
    cache.endRowIdOrder(isWhole);
  }
}

/**
 * Copies the rows from `firstRow` on, neighbours of a block at once.
 *
 * @returns False when a block of theirs is corrupt.
 */
function copyRows(
  cache: PartitionCache,
  blocks: BlocksAtHand,
  firstRow: number,
  positions: Uint32Array,
): boolean {
  const { rowBytes } = cache.partition;
  for (let start = 0; start < positions.length; ) {
    const position = positions[start]!;
    let end = start + 1;
    while (positions[end] === position + end - start && cache.rowInBlock(positions[end]!) > 0)
      end++;
    const rows = blocks.take(cache.blockOf(position), end - start);
    if (rows === undefined) return false;
    const from = cache.rowInBlock(position) * rowBytes;
    const copied = rows.subarray(from, from + (end - start) * rowBytes);
    cache.slab.bytes.set(copied, cache.rowIdPtr(firstRow + start));
    start = end;
  }
  return true;
}

/** Blocks of which some rows are still to be taken. */
class BlocksAtHand {
  readonly #cache: PartitionCache;
  readonly #readBlock: IntactBlockReader;
  readonly #byBlock = new Map<number, { readonly rows: Uint8Array; rowsLeft: number }>();

  constructor(cache: PartitionCache, readBlock: IntactBlockReader) {
    this.#cache = cache;
    this.#readBlock = readBlock;
  }

  /** The rows of the block, `rowCount` of which are taken by this. */
  take(block: number, rowCount: number): Uint8Array | undefined {
    const atHand = this.#byBlock.get(block) ?? this.#read(block);
    if (atHand === undefined) return undefined;
    atHand.rowsLeft -= rowCount;
    if (atHand.rowsLeft === 0) this.#byBlock.delete(block);
    return atHand.rows;
  }

  #read(block: number): { readonly rows: Uint8Array; rowsLeft: number } | undefined {
    const rows = this.#readBlock(this.#cache, block);
    if (rows === undefined) return undefined;
    const atHand = { rows, rowsLeft: rows.length / this.#cache.partition.rowBytes };
    this.#byBlock.set(block, atHand);
    return atHand;
  }
}
