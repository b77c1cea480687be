import { parentPort, workerData } from "node:worker_threads";
import { type ErrorCode, ShardpoolError } from "../../../lib/errors.js";
import { openBlockSource } from "../../store/block-source.js";
import type { StoredPartition } from "../../store/store-catalog.js";
import { CHUNKS_PER_READER, ReaderMemory, type ReaderShape } from "./reader-memory.js";

/** What a reader thread is started with. */
export interface ReaderStart {
  readonly storePath: string;
  readonly mapsFile: boolean;
  /** Of the whole store, by their number. */
  readonly partitions: readonly StoredPartition[];
  readonly shape: ReaderShape;
  readonly buffer: SharedArrayBuffer;
}

/** One block of a chunk that could not be read. */
export interface ReadFailure {
  readonly index: number;
  readonly code: ErrorCode;
  readonly detail: string;
}

/** What a reader says: that it is open, and of each chunk, in the order submitted, how it went. */
export type ReaderMessage =
  | { readonly isOpen: true }
  | { readonly readMs: number; readonly failures: readonly ReadFailure[] };

const { storePath, mapsFile, partitions, shape, buffer } = workerData as ReaderStart;
const source = openBlockSource(storePath, mapsFile);
const memory = new ReaderMemory(shape, buffer);
tell({ isOpen: true });
// The thread sleeps in `waitForChunk` and not in its event loop: waking is cheaper by a quarter.
for (let seen = 0; memory.waitForChunk(seen); seen++) readChunk(seen % CHUNKS_PER_READER);
source.close();

function readChunk(chunk: number): void {
  const startMs = performance.now();
  const failures: ReadFailure[] = [];
  const count = memory.readCountOf(chunk);
  for (let index = 0; index < count; index++) {
    const partition = partitions[memory.partitionOf(chunk, index)]!;
    try {
      const rows = source.readBlock(partition, memory.blockOf(chunk, index));
      memory.rows.set(rows, memory.startOf(chunk, index));
      source.release(rows);
    } catch (error) {
      // What is no error of the store is a bug, and ends the thread.
      if (!(error instanceof ShardpoolError)) throw error;
      failures.push({ index, code: error.code, detail: error.detail });
    }
  }
  tell({ readMs: performance.now() - startMs, failures });
}

function tell(message: ReaderMessage): void {
  parentPort!.postMessage(message);
}
