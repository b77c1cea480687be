/**
 * The missed rows of one segment of a waiting lookup: copies of its own, so that what the cache does
 * meanwhile is of no matter to it.
 */
export interface MissedRows {
  /** `[n]`, rising: which values of the segment they belong to. */
  readonly valueIndices: Uint32Array;
  /** `[n][rowBytes]`. */
  readonly rows: Uint8Array;
}

export const NO_MISSED_ROWS: MissedRows = {
  valueIndices: new Uint32Array(0),
  rows: new Uint8Array(0),
};

/** A block that a lookup waits for, and the rows of it that are copied to the lookup when it comes. */
export interface WantedBlock {
  readonly block: number;
  /** Pairs: row in the block, byte offset in `into`. */
  readonly copies: readonly number[];
  readonly into: Uint8Array;
}

/** Copies a wanted block's rows to where the lookup wants them. */
export function copyWantedRows(wanted: WantedBlock, rows: Uint8Array, rowBytes: number): void {
  const { copies, into } = wanted;
  for (let i = 0; i < copies.length; i += 2) {
    const from = copies[i]! * rowBytes;
    into.set(rows.subarray(from, from + rowBytes), copies[i + 1]!);
  }
}

/** Missing values that one sort key can tell apart. */
const ENTRY_LIMIT = 2 ** 21;

/** Gathers the values a segment misses, on top of the missed rows it holds and has not used. */
export class MissingValues {
  readonly #rowBytes: number;
  readonly #held: MissedRows;
  readonly #keptFrom: number;
  /** Held entry that `isHeld` looks at next. */
  #nextHeld: number;
  readonly #valueIndices: number[] = [];
  readonly #blocks: number[] = [];
  readonly #rowsInBlock: number[] = [];

  /** @param keptFrom First entry of `held` that is not used up. */
  constructor(held: MissedRows, keptFrom: number, rowBytes: number) {
    this.#held = held;
    this.#keptFrom = keptFrom;
    this.#nextHeld = keptFrom;
    this.#rowBytes = rowBytes;
  }

  get count(): number {
    return this.#valueIndices.length;
  }

  /** Whether one more row would make more than `bytesMax` held and to come. */
  isFull(bytesMax: number): boolean {
    const heldCount = this.#held.valueIndices.length - this.#keptFrom;
    const bytes = (heldCount + this.count + 1) * this.#rowBytes;
    return bytes > bytesMax || this.count === ENTRY_LIMIT;
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
    this.#valueIndices.push(valueIndex);
    this.#blocks.push(block);
    this.#rowsInBlock.push(rowInBlock);
  }

  /** One list of the rows held and to come, and the blocks, rising, that bring the latter. */
  plan(): { missed: MissedRows; blocks: readonly WantedBlock[] } {
    const rowBytes = this.#rowBytes;
    const held = this.#held;
    const heldCount = held.valueIndices.length;
    const entryCount = heldCount - this.#keptFrom + this.count;
    const valueIndices = new Uint32Array(entryCount);
    const rows = new Uint8Array(entryCount * rowBytes);
    const offsets: number[] = [];
    let kept = this.#keptFrom;
    for (let i = 0; i < entryCount; i++) {
      const missing = this.#valueIndices[offsets.length];
      if (missing === undefined || (kept < heldCount && held.valueIndices[kept]! < missing)) {
        valueIndices[i] = held.valueIndices[kept]!;
        rows.set(held.rows.subarray(kept * rowBytes, (kept + 1) * rowBytes), i * rowBytes);
        kept++;
      } else {
        valueIndices[i] = missing;
        offsets.push(i * rowBytes);
      }
    }
    return { missed: { valueIndices, rows }, blocks: this.#groupByBlock(offsets, rows) };
  }

  #groupByBlock(offsets: readonly number[], into: Uint8Array): WantedBlock[] {
    // One float sorts by block, then by entry: 2^31 blocks of 2^21 entries stay below 2^53.
    const keys = Float64Array.from(this.#blocks, (block, entry) => block * ENTRY_LIMIT + entry);
    const wanted: WantedBlock[] = [];
    let copies: number[] = [];
    for (const key of keys.sort()) {
      const block = Math.floor(key / ENTRY_LIMIT);
      const entry = key % ENTRY_LIMIT;
      if (wanted.at(-1)?.block !== block) {
        copies = [];
        wanted.push({ block, copies, into });
      }
      copies.push(this.#rowsInBlock[entry]!, offsets[entry]!);
    }
    return wanted;
  }
}
