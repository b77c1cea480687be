import assert from "node:assert/strict";
import { once } from "node:events";
import { after, describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { ReaderMemory } from "../../../../shards/engine/readers/reader-memory.js";
import { waitFor } from "../../../support/wait-for.js";

const SHAPE = { chunkBlocks: 2, blockBytesMax: 8 };

/** Waits for the first chunk, then tells how many had been submitted by then. */
const READER = `
const { parentPort, workerData } = require("node:worker_threads");
import(workerData.program).then(({ ReaderMemory }) => {
  const memory = new ReaderMemory(workerData.shape, workerData.buffer);
  memory.waitForChunk(0);
  parentPort.postMessage(Atomics.load(new Int32Array(workerData.buffer), 0));
});`;

describe("ReaderMemory", () => {
  it("lets a reader sleep on when a notification comes without a chunk", async () => {
    const memory = new ReaderMemory(SHAPE);
    const program = new URL("../../../../shards/engine/readers/reader-memory.js", import.meta.url)
      .href;
    const worker = new Worker(READER, {
      eval: true,
      workerData: { program, shape: SHAPE, buffer: memory.buffer },
    });
    after(() => worker.terminate());
    const answered = once(worker, "message");
    const words = new Int32Array(memory.buffer);

    // One that is awake is notified in vain, so each of these found it asleep.
    for (const time of ["first", "second", "third"]) {
      await waitFor(`a ${time} sleep`, () => Atomics.notify(words, 0) === 1);
    }
    memory.submit(0, new Int32Array(0));

    assert.deepEqual(await answered, [1]);
  });
});
