import { Worker } from "node:worker_threads";
import { ShardpoolError } from "../../../lib/errors.js";
import type { StoredPartition } from "../../store/store-catalog.js";
import { blockRowBytesOf } from "../../store/store-catalog.js";
import { CHUNKS_PER_READER, ReaderMemory, type ReaderShape } from "./reader-memory.js";
import type { ReaderMessage, ReaderStart } from "./reader-thread.js";

/** A block that somebody wants read. */
export interface BlockRead {
  readonly partition: StoredPartition;
  readonly block: number;
}

/** How a chunk went: for each of its reads the rows, or why there are none. */
export interface ReadChunk<Read extends BlockRead> {
  readonly reads: readonly Read[];
  /** The reader's memory: copied before `onChunk` returns, or lost. */
  rowsOf(index: number): Uint8Array | ShardpoolError;
  /** What reading took, all blocks together; undefined when the reader came to grief. */
  readonly readMs: number | undefined;
}

export interface BlockReaderOptions {
  readonly storePath: string;
  readonly mapsFile: boolean;
  readonly shape: ReaderShape;
  /** The thread's program; tests have their own. */
  readonly threadFile: URL;
}

/** V8 heap of a reader: it holds a few blocks. The default of 16 MiB young generation would stay. */
const READER_HEAP = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 };

/** One reader thread, with its own connection to the store. */
export class BlockReader<Read extends BlockRead> {
  readonly #worker: Worker;
  readonly #memory: ReaderMemory;
  readonly #inFlight: (readonly Read[])[] = [];
  readonly #onChunk: (chunk: ReadChunk<Read>) => void;
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
    onChunk: (chunk: ReadChunk<Read>) => void,
    onEnd: (error: unknown) => void,
  ) {
    const { storePath, mapsFile, shape, threadFile } = options;
    this.#memory = new ReaderMemory(shape);
    this.#onChunk = onChunk;
    this.#onEnd = onEnd;
    const { buffer } = this.#memory;
    const workerData: ReaderStart = { storePath, mapsFile, shape, buffer };
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
  submit(reads: readonly Read[]): void {
    const wanted = reads.map(({ partition, block }) => ({ partition: partition.number, block }));
    this.#memory.submit(this.#submittedCount++ % CHUNKS_PER_READER, wanted);
    if (this.#inFlight.push(reads) === 1) this.#worker.ref();
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
    const reads = this.#inFlight[0]!;
    const errorByIndex = new Map(
      failures.map(({ index, code, detail }) => [index, new ShardpoolError(code, detail)]),
    );
    // The chunk counts as in flight until its rows are copied, so that nobody writes over them.
    this.#onChunk({
      reads,
      readMs,
      rowsOf: (index) => {
        const { partition, block } = reads[index]!;
        const bytes = blockRowBytesOf(partition, block);
        return errorByIndex.get(index) ?? this.#memory.rowsOf(chunk, index, bytes);
      },
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
    for (const reads of this.#inFlight.splice(0)) {
      this.#onChunk({ reads, readMs: undefined, rowsOf: () => error });
    }
    this.#onEnd(cause);
  }
}
