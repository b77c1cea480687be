import { parentPort, workerData } from "node:worker_threads";
import { ReaderMemory } from "../../shards/engine/readers/reader-memory.js";
import type { ReaderMessage, ReaderStart } from "../../shards/engine/readers/reader-thread.js";

// A reader that opens well, takes chunks and never answers: a disk that hangs.
const { shape, buffer } = workerData as ReaderStart;
const memory = new ReaderMemory(shape, buffer);
parentPort!.postMessage({ isOpen: true } satisfies ReaderMessage);
for (let seen = 0; memory.waitForChunk(seen); seen++);
