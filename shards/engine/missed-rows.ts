import type { PartitionCache } from "./partition-cache.js";
import type { RowBuffers } from "./row-buffers.js";

/**
 * The missed rows of one segment of a waiting lookup: copies of its own, so that what the cache does
 * meanwhile is of no matter to it.
 */
export interface MissedRows {
  /** `[n]`, rising: which values of the segment they belong to. */
  readonly valueIndices: Uint32Array;
  /** `[n][rowBytes]`, and perhaps some bytes more. */
  readonly rows: Uint8Array;
}

export const NO_MISSED_ROWS: MissedRows = {
  valueIndices: new Uint32Array(0),
  rows: new Uint8Array(0),
};

/** Blocks of a partition that a lookup waits for, and the rows of them it gets when they come. */
export interface WantedBlocks {
  readonly cache: PartitionCache;
  /** `[n]`, rising. */
  readonly blocks: Uint32Array;
  /** `[n + 1]`: the rows of block i are copies `firstCopies[i]` up to `firstCopies[i + 1]`. */
  readonly firstCopies: Uint32Array;
  /** `[m][2]`: row in its block, byte offset in `into`. */
  readonly copies: Uint32Array;
  readonly into: Uint8Array;
}

/**
 * Copies what is wanted of a block that came.
 *
 * @param index Which of the wanted blocks it is.
 * @param rows The block's rows, from byte `start` on.
 */
export function copyWantedRows(
  { cache, firstCopies, copies, into }: WantedBlocks,
  index: number,
  rows: Uint8Array,
  start: number,
): void {
  const { rowBytes } = cache.partition;
  const end = 2 * firstCopies[index + 1]!;
  for (let i = 2 * firstCopies[index]!; i < end; i += 2) {
    const from = start + copies[i]! * rowBytes;
    into.set(rows.subarray(from, from + rowBytes), copies[i + 1]!);
  }
}

/** Missing values that one sort key can tell apart. */
const ENTRY_LIMIT = 2 ** 21;

const FIRST_CAPACITY = 1024;

/**
 * Gathers the values a segment misses, on top of the missed rows it holds and has not used. One
 * instance serves all lookups, one after another: `begin`, `add`, `plan`.
 */
export class MissingValues {
  readonly #buffers: RowBuffers;
  #held = NO_MISSED_ROWS;
  #keptFrom = 0;
  #rowBytes = 0;
  #count = 0;
  /** Held entry that `isHeld` looks at next. */
  #nextHeld = 0;
  #valueIndices = new Uint32Array(FIRST_CAPACITY);
  #blocks = new Uint32Array(FIRST_CAPACITY);
  #rowsInBlock = new Uint32Array(FIRST_CAPACITY);
  /** Byte offsets, then sort keys. */
  #offsets = new Uint32Array(FIRST_CAPACITY);
  #keys = new Float64Array(FIRST_CAPACITY);

  constructor(buffers: RowBuffers) {
    this.#buffers = buffers;
  }

  /** @param keptFrom First entry of `held` that is not used up. */
  begin(held: MissedRows, keptFrom: number, rowBytes: number): void {
    this.#held = held;
    this.#keptFrom = keptFrom;
    this.#nextHeld = keptFrom;
    this.#rowBytes = rowBytes;
    this.#count = 0;
  }

  get count(): number {
    return this.#count;
  }

  /** Whether one more row would make more than `bytesMax` held and to come. */
  isFull(bytesMax: number): boolean {
    const heldCount = this.#held.valueIndices.length - this.#keptFrom;
    const bytes = (heldCount + this.#count + 1) * this.#rowBytes;
    return bytes > bytesMax || this.#count === ENTRY_LIMIT;
  }

  /** Whether a value's row is held. Asked with rising indices. */
  isHeld(valueIndex: number): boolean {
    const { valueIndices } = this.#held;
    while (this.#nextHeld < valueIndices.length && valueIndices[this.#nextHeld]! < valueIndex) {
      this.#nextHeld++;
    }
    return valueIndices[this.#nextHeld] === valueIndex;
  }

  /** Adds a value that is not held. Indices rise. */
  add(valueIndex: number, block: number, rowInBlock: number): void {
    if (this.#count === this.#blocks.length) this.#grow();
    this.#valueIndices[this.#count] = valueIndex;
    this.#blocks[this.#count] = block;
    this.#rowsInBlock[this.#count++] = rowInBlock;
  }

  /** One list of the rows held and to come, and the blocks that bring the latter. */
  plan(cache: PartitionCache): { missed: MissedRows; wanted: WantedBlocks } {
    const entryCount = this.#held.valueIndices.length - this.#keptFrom + this.#count;
    const valueIndices = new Uint32Array(entryCount);
    const rows = this.#buffers.take(entryCount * this.#rowBytes);
    this.#merge(valueIndices, rows);
    return { missed: { valueIndices, rows }, wanted: this.#groupByBlock(cache, rows) };
  }

  /** Fills the list, copies what is held, and notes where the rows to come go. */
  #merge(valueIndices: Uint32Array, rows: Uint8Array): void {
    const rowBytes = this.#rowBytes;
    const held = this.#held;
    const heldCount = held.valueIndices.length;
    let kept = this.#keptFrom;
    let added = 0;
    for (let i = 0; i < valueIndices.length; i++) {
      const isKept =
        added === this.#count ||
        (kept < heldCount && held.valueIndices[kept]! < this.#valueIndices[added]!);
      if (isKept) {
        valueIndices[i] = held.valueIndices[kept]!;
        rows.set(held.rows.subarray(kept * rowBytes, (kept + 1) * rowBytes), i * rowBytes);
        kept++;
      } else {
        valueIndices[i] = this.#valueIndices[added]!;
        this.#offsets[added++] = i * rowBytes;
      }
    }
  }

  /** The rows are used up, and none of their blocks is to come. */
  giveBack({ rows }: MissedRows): void {
    this.#buffers.giveBack(rows);
  }

  #groupByBlock(cache: PartitionCache, into: Uint8Array): WantedBlocks {
    const count = this.#count;
    const keys = this.#keys.subarray(0, count);
    // One float sorts by block, then by entry: 2^31 blocks of 2^21 entries stay below 2^53.
    for (let i = 0; i < count; i++) keys[i] = this.#blocks[i]! * ENTRY_LIMIT + i;
    if (count > 1) keys.sort();
    const blocks = new Uint32Array(count);
    const firstCopies = new Uint32Array(count + 1);
    const copies = new Uint32Array(2 * count);
    let blockCount = 0;
    for (let i = 0; i < count; i++) {
      const key = keys[i]!;
      const block = Math.floor(key / ENTRY_LIMIT);
      const entry = key - block * ENTRY_LIMIT;
      if (blockCount === 0 || blocks[blockCount - 1] !== block) {
        firstCopies[blockCount] = i;
        blocks[blockCount++] = block;
      }
      copies[2 * i] = this.#rowsInBlock[entry]!;
      copies[2 * i + 1] = this.#offsets[entry]!;
    }
    firstCopies[blockCount] = count;
    return { cache, blocks: blocks.subarray(0, blockCount), firstCopies, copies, into };
  }

  #grow(): void {
    const capacity = 2 * this.#blocks.length;
    this.#valueIndices = grown(this.#valueIndices, capacity);
    this.#blocks = grown(this.#blocks, capacity);
    this.#rowsInBlock = grown(this.#rowsInBlock, capacity);
    this.#offsets = new Uint32Array(capacity);
    this.#keys = new Float64Array(capacity);
  }
}

function grown(array: Uint32Array<ArrayBuffer>, capacity: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(capacity);
  larger.set(array);
  return larger;
}
