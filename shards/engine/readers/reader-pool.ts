import type { StoredPartition } from "../../store/store-catalog.js";
import { BlockReader, type ChunkReads, type ReadChunk } from "./block-reader.js";
import { readerMemoryBytesOf, readerShapeFor } from "./reader-memory.js";

export interface ReaderPoolOptions {
  readonly storePath: string;
  /** Threads; 0 is none. */
  readonly readerCount: number;
  /** Whether readers map the store into memory instead of reading its pages. */
  readonly mapsFile: boolean;
  /** All of the store. */
  readonly partitions: readonly StoredPartition[];
  /** Row bytes of the store's largest block. */
  readonly blockBytesMax: number;
  /** The threads' program; tests have their own. */
  readonly threadFile?: URL;
}

/** A reader thread beside what it shares: stacks, V8 heap, SQLite's cache (benchmark lookup-memory). */
const THREAD_BYTES = 20 * 1024 * 1024;

/** Readers that may end of themselves; past it something is wrong with them, and there are none. */
const ENDED_MAX = 16;

const THREAD_FILE = new URL("./reader-thread.js", import.meta.url);

/** Bytes of memory that readers come to. */
export function readerPoolBytesOf(readerCount: number, blockBytesMax: number): number {
  const perReader = THREAD_BYTES + readerMemoryBytesOf(readerShapeFor(blockBytesMax));
  return readerCount * perReader;
}

/** Threads that read blocks. They start one by one as they are wanted: each costs memory and a start. */
export class ReaderPool {
  readonly chunkBlocks: number;
  readonly #options: ReaderPoolOptions;
  readonly #onChunk: (chunk: ReadChunk) => void;
  readonly #onRoom: () => void;
  #readers: BlockReader[] = [];
  #isClosed = false;
  #endedCount = 0;

  /** @param onRoom Called whenever a reader can take a chunk that could not before. */
  constructor(options: ReaderPoolOptions, onChunk: (chunk: ReadChunk) => void, onRoom: () => void) {
    this.#options = options;
    this.chunkBlocks = readerShapeFor(options.blockBytesMax).chunkBlocks;
    this.#onChunk = onChunk;
    this.#onRoom = onRoom;
  }

  /** Starts one more reader, when more are allowed, fewer than `countMax` are there and none is starting. */
  grow(countMax: number): void {
    if (this.#isClosed || this.#readers.length >= Math.min(countMax, this.#readerCountMax)) return;
    if (this.#readers.every((reader) => reader.isOpen)) this.#addReader();
  }

  /** Whether there is no reader and none will be. */
  get isEmpty(): boolean {
    return this.#readerCountMax === 0;
  }

  /** Readers that have opened the store. */
  get openCount(): number {
    return this.#readers.filter((reader) => reader.isOpen).length;
  }

  /** Chunks that the first `countMax` readers would take now. */
  roomCount(countMax: number): number {
    let count = 0;
    for (let i = 0; i < Math.min(countMax, this.#readers.length); i++) {
      count += this.#readers[i]!.roomCount;
    }
    return count;
  }

  get #readerCountMax(): number {
    return this.#endedCount > ENDED_MAX ? 0 : this.#options.readerCount;
  }

  /** Gives a chunk to the reader with most room, the first of them; the caller has looked at `roomCount`. */
  submit(reads: ChunkReads): void {
    const reader = this.#readers.reduce((best, other) =>
      other.roomCount > best.roomCount ? other : best,
    );
    reader.submit(reads);
  }

  close(): void {
    this.#isClosed = true;
    for (const reader of this.#readers) reader.close();
    this.#readers = [];
  }

  #addReader(): void {
    const { storePath, mapsFile, partitions, blockBytesMax } = this.#options;
    const { threadFile = THREAD_FILE } = this.#options;
    const shape = readerShapeFor(blockBytesMax);
    const reader = new BlockReader(
      { storePath, mapsFile, partitions, shape, threadFile },
      this.#onRoom,
      (chunk) => this.#onChunk(chunk),
      () => this.#remove(reader),
    );
    this.#readers.push(reader);
  }

  /** Another starts when it is wanted. */
  #remove(ended: BlockReader): void {
    this.#readers = this.#readers.filter((reader) => reader !== ended);
    this.#endedCount++;
    if (!this.#isClosed) this.#onRoom();
  }
}
