import { parentPort, workerData } from "node:worker_threads";
import { ReaderMemory } from "../../shards/engine/readers/reader-memory.js";
import type { ReaderMessage, ReaderStart } from "../../shards/engine/readers/reader-thread.js";

// A reader that opens well and ends at its first chunk.
const { shape, buffer } = workerData as ReaderStart;
const memory = new ReaderMemory(shape, buffer);
parentPort!.postMessage({ isOpen: true } satisfies ReaderMessage);
if (memory.waitForChunk(0)) throw new Error("this reader always fails");
