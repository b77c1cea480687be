/** Chunks a reader has at a time: one is read while the other's rows are handed out. */
export const CHUNKS_PER_READER = 2;

/** Blocks of a chunk: what they bring is handed out in one turn, in well under 0.2 ms. */
const CHUNK_BLOCKS_MAX = 32;

/** Row bytes of a chunk, unless one block has more. */
const CHUNK_BYTES_TARGET = 256 * 1024;

const CONTROL_WORDS = 2;
const SUBMITTED = 0;
const CLOSED = 1;

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
  return wordCountOf(chunkBlocks) * 4 + CHUNKS_PER_READER * chunkBlocks * blockBytesMax;
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
  readonly #words: Int32Array;
  readonly #rows: Uint8Array;

  constructor(shape: ReaderShape, buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(readerMemoryBytesOf(shape));
    this.#shape = shape;
    const wordCount = wordCountOf(shape.chunkBlocks);
    this.#words = new Int32Array(this.buffer, 0, wordCount);
    this.#rows = new Uint8Array(this.buffer, wordCount * 4);
  }

  /** Hands a chunk to the reader and wakes it. */
  submit(chunk: number, reads: readonly { readonly partition: number; readonly block: number }[]) {
    const start = this.#chunkStart(chunk);
    this.#words[start] = reads.length;
    for (let i = 0; i < reads.length; i++) {
      this.#words[start + 1 + 2 * i] = reads[i]!.partition;
      this.#words[start + 2 + 2 * i] = reads[i]!.block;
    }
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

  /** Where the rows of a chunk's block lie; `bytes` of them. */
  rowsOf(chunk: number, index: number, bytes: number): Uint8Array {
    const { chunkBlocks, blockBytesMax } = this.#shape;
    const start = (chunk * chunkBlocks + index) * blockBytesMax;
    return this.#rows.subarray(start, start + bytes);
  }

  #chunkStart(chunk: number): number {
    return CONTROL_WORDS + chunk * (1 + 2 * this.#shape.chunkBlocks);
  }
}
