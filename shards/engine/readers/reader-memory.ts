/** Chunks a reader has at a time: one is read while the other's rows are handed out. */
export const CHUNKS_PER_READER = 2;

/** Blocks of a chunk: what they bring is handed out in one turn, in well under 0.2 ms. */
const CHUNK_BLOCKS_MAX = 32;

/** Row bytes of a chunk, unless one block has more. */
const CHUNK_BYTES_TARGET = 256 * 1024;

const CONTROL_WORDS = 2;
const SUBMITTED = 0;
const CLOSED = 1;

/** Rows start at multiples of it: what is shared between threads is copied in words if both ends are aligned, and else four times as slowly. */
const ALIGNMENT_BYTES = 8;

/** What of a store and its blocks a reader and its owner agree on. */
export interface ReaderShape {
  readonly chunkBlocks: number;
  /** Room for the rows of the store's largest block. */
  readonly blockBytesMax: number;
}

export function readerShapeFor(blockBytesMax: number): ReaderShape {
  const fitting = Math.floor(CHUNK_BYTES_TARGET / blockBytesMax);
  return { chunkBlocks: Math.min(CHUNK_BLOCKS_MAX, Math.max(1, fitting)), blockBytesMax };
}

/** Bytes of the memory that one reader shares with its owner. */
export function readerMemoryBytesOf({ chunkBlocks, blockBytesMax }: ReaderShape): number {
  return rowsPtrOf(chunkBlocks) + CHUNKS_PER_READER * chunkBlocks * aligned(blockBytesMax);
}

function rowsPtrOf(chunkBlocks: number): number {
  return aligned(wordCountOf(chunkBlocks) * 4);
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

function wordCountOf(chunkBlocks: number): number {
  return CONTROL_WORDS + CHUNKS_PER_READER * (1 + 2 * chunkBlocks);
}

/**
 * The memory that a reader thread shares with the thread that asks it: which blocks each chunk wants,
 * and their rows once read. A chunk belongs to the reader from `submit` until it says over its
 * port that the chunk is read, and to the owner otherwise.
 */
export class ReaderMemory {
  readonly buffer: SharedArrayBuffer;
  readonly #shape: ReaderShape;
  /** The rows of every chunk's blocks. */
  readonly rows: Uint8Array;
  readonly #words: Int32Array;
  readonly #slotBytes: number;

  constructor(shape: ReaderShape, buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(readerMemoryBytesOf(shape));
    this.#shape = shape;
    this.#slotBytes = aligned(shape.blockBytesMax);
    this.#words = new Int32Array(this.buffer, 0, wordCountOf(shape.chunkBlocks));
    this.rows = new Uint8Array(this.buffer, rowsPtrOf(shape.chunkBlocks));
  }

  /**
   * Hands a chunk to the reader and wakes it.
   *
   * @param blocks `[n][2]`: number of the partition, block.
   */
  submit(chunk: number, blocks: Int32Array): void {
    const start = this.#chunkStart(chunk);
    this.#words[start] = blocks.length / 2;
    this.#words.set(blocks, start + 1);
    // An atomic operation publishes the plain writes before it.
    Atomics.add(this.#words, SUBMITTED, 1);
    Atomics.notify(this.#words, SUBMITTED);
  }

  /** Tells the reader to end; it goes on with what it reads. */
  close(): void {
    Atomics.store(this.#words, CLOSED, 1);
    Atomics.add(this.#words, SUBMITTED, 1);
    Atomics.notify(this.#words, SUBMITTED);
  }

  /** In the reader: sleeps until more than `seen` chunks were submitted; false when it shall end. */
  waitForChunk(seen: number): boolean {
    // A reader that did not sleep when a chunk came gets that chunk's notification in its next sleep.
    while (Atomics.load(this.#words, SUBMITTED) === seen) {
      Atomics.wait(this.#words, SUBMITTED, seen);
    }
    return Atomics.load(this.#words, CLOSED) === 0;
  }

  readCountOf(chunk: number): number {
    return this.#words[this.#chunkStart(chunk)]!;
  }

  partitionOf(chunk: number, index: number): number {
    return this.#words[this.#chunkStart(chunk) + 1 + 2 * index]!;
  }

  blockOf(chunk: number, index: number): number {
    return this.#words[this.#chunkStart(chunk) + 2 + 2 * index]!;
  }

  /** Where in `rows` those of a chunk's block start. */
  startOf(chunk: number, index: number): number {
    return (chunk * this.#shape.chunkBlocks + index) * this.#slotBytes;
  }

  #chunkStart(chunk: number): number {
    return CONTROL_WORDS + chunk * (1 + 2 * this.#shape.chunkBlocks);
  }
}
