import { Worker } from "node:worker_threads";
import { ShardpoolError } from "../../../lib/errors.js";
import type { StoredPartition } from "../../store/store-catalog.js";
import { CHUNKS_PER_READER, ReaderMemory, type ReaderShape } from "./reader-memory.js";
import type { ReaderMessage, ReaderStart } from "./reader-thread.js";

/** Blocks to be read in one go. */
export interface ChunkReads {
  /** What the submitter knows the blocks by. */
  readonly tags: readonly number[];
  /** `[n][2]`: number of the partition in the store, block. */
  readonly blocks: Int32Array;
}

/** How a chunk went. */
export interface ReadChunk {
  readonly tags: readonly number[];
  /** Why there are no rows of a read, if so. */
  errorOf(index: number): ShardpoolError | undefined;
  /** The reader's memory, in which the rows of a read start at `startOf`: copied before `onChunk` returns, or lost. */
  readonly rows: Uint8Array;
  startOf(index: number): number;
  /** What reading took, all blocks together; undefined when the reader came to grief. */
  readonly readMs: number | undefined;
}

export interface BlockReaderOptions {
  readonly storePath: string;
  readonly mapsFile: boolean;
  readonly partitions: readonly StoredPartition[];
  readonly shape: ReaderShape;
  /** The thread's program; tests have their own. */
  readonly threadFile: URL;
}

/** V8 heap of a reader: it holds a few blocks. The default of 16 MiB young generation would stay. */
const READER_HEAP = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 };

/** One reader thread, with its own connection to the store. */
export class BlockReader {
  readonly #worker: Worker;
  readonly #memory: ReaderMemory;
  readonly #inFlight: (readonly number[])[] = [];
  readonly #onChunk: (chunk: ReadChunk) => void;
  readonly #onEnd: (error: unknown) => void;
  #submittedCount = 0;
  #isOpen = false;
  #isEnded = false;

  /**
   * @param onOpen Called once, when the thread has opened the store.
   * @param onEnd Called once, when the thread ends that was not closed; its chunks have failed by then.
   */
  constructor(
    options: BlockReaderOptions,
    onOpen: () => void,
    onChunk: (chunk: ReadChunk) => void,
    onEnd: (error: unknown) => void,
  ) {
    const { storePath, mapsFile, partitions, shape, threadFile } = options;
    this.#memory = new ReaderMemory(shape);
    this.#onChunk = onChunk;
    this.#onEnd = onEnd;
    const { buffer } = this.#memory;
    const workerData: ReaderStart = { storePath, mapsFile, partitions, shape, buffer };
    this.#worker = new Worker(threadFile, { workerData, resourceLimits: READER_HEAP });
    this.#worker.on("message", (message: ReaderMessage) => {
      if ("readMs" in message) this.#take(message);
      else {
        this.#isOpen = true;
        onOpen();
      }
    });
    this.#worker.on("error", (error) => this.#end(error));
    this.#worker.on("exit", () => this.#end(undefined));
    // A reader at rest keeps no process alive.
    this.#worker.unref();
  }

  get isOpen(): boolean {
    return this.#isOpen && !this.#isEnded;
  }

  /** Chunks it would take now. */
  get roomCount(): number {
    return this.isOpen ? CHUNKS_PER_READER - this.#inFlight.length : 0;
  }

  /** At most `shape.chunkBlocks` reads; the caller has looked at `roomCount`. */
  submit({ tags, blocks }: ChunkReads): void {
    this.#memory.submit(this.#submittedCount++ % CHUNKS_PER_READER, blocks);
    if (this.#inFlight.push(tags) === 1) this.#worker.ref();
  }

  /** Ends the thread once it has read what it reads; nothing more is told. */
  close(): void {
    this.#isEnded = true;
    this.#inFlight.length = 0;
    this.#memory.close();
    this.#worker.unref();
  }

  #take({ readMs, failures }: Extract<ReaderMessage, { readonly readMs: number }>): void {
    if (this.#isEnded) return;
    const chunk = (this.#submittedCount - this.#inFlight.length) % CHUNKS_PER_READER;
    const errorByIndex = new Map(
      failures.map(({ index, code, detail }) => [index, new ShardpoolError(code, detail)]),
    );
    // The chunk counts as in flight until its rows are copied, so that nobody writes over them.
    this.#onChunk({
      tags: this.#inFlight[0]!,
      readMs,
      errorOf: (index) => errorByIndex.get(index),
      rows: this.#memory.rows,
      startOf: (index) => this.#memory.startOf(chunk, index),
    });
    this.#inFlight.shift();
    if (this.#inFlight.length === 0) this.#worker.unref();
  }

  #end(cause: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const error = new ShardpoolError(
      "READER_FAILED",
      "a reader thread ended while it read blocks; another takes its place",
      { cause },
    );
    const { rows } = this.#memory;
    for (const tags of this.#inFlight.splice(0)) {
      this.#onChunk({ tags, readMs: undefined, errorOf: () => error, rows, startOf: () => 0 });
    }
    this.#onEnd(cause);
  }
}
