import { setImmediate as nextTurn } from "node:timers/promises";
import type { PartitionCache } from "./partition-cache.js";
import { PLACED_IDS_MAX } from "./placement.js";

/** Where blocks come from. */
export interface IntactBlocks {
  /** A block's rows; nothing when it is corrupt. */
  readBlock(cache: PartitionCache, block: number): Uint8Array | undefined;
  /** Takes rows back that are not looked at any more. */
  release(rows: Uint8Array): void;
}

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
  source: IntactBlocks,
  blocksPerTurn: number,
  isStopped: () => boolean,
): Promise<void> {
  const blocks = new BlocksAtHand(cache, source);
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
    const block = cache.blockOf(position);
    const rows = blocks.rowsOf(block);
    if (rows === undefined) return false;
    const from = cache.rowInBlock(position) * rowBytes;
    const copied = rows.subarray(from, from + (end - start) * rowBytes);
    cache.slab.bytes.set(copied, cache.rowIdPtr(firstRow + start));
    blocks.take(block, end - start);
    start = end;
  }
  return true;
}

interface BlockAtHand {
  readonly rows: Uint8Array;
  rowsLeft: number;
}

/** Blocks of which some rows are still to be taken. */
class BlocksAtHand {
  readonly #cache: PartitionCache;
  readonly #source: IntactBlocks;
  readonly #byBlock = new Map<number, BlockAtHand>();

  constructor(cache: PartitionCache, source: IntactBlocks) {
    this.#cache = cache;
    this.#source = source;
  }

  /** Its rows, until the last of them is taken. */
  rowsOf(block: number): Uint8Array | undefined {
    return (this.#byBlock.get(block) ?? this.#read(block))?.rows;
  }

  /** Takes note that `rowCount` of a block's rows are done with. */
  take(block: number, rowCount: number): void {
    const atHand = this.#byBlock.get(block)!;
    atHand.rowsLeft -= rowCount;
    if (atHand.rowsLeft > 0) return;
    this.#byBlock.delete(block);
    this.#source.release(atHand.rows);
  }

  #read(block: number): BlockAtHand | undefined {
    const rows = this.#source.readBlock(this.#cache, block);
    if (rows === undefined) return undefined;
    const atHand = { rows, rowsLeft: rows.length / this.#cache.partition.rowBytes };
    this.#byBlock.set(block, atHand);
    return atHand;
  }
}
