import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { buildShardStore } from "../../../shards/index.js";
import { BufferRelease } from "../../../shards/store/buffer-release.js";
import { openShardStore } from "../../../shards/store/shard-store.js";
import { makePlan, makeShardModel } from "../../support/shard-model.js";
import { tempFolder } from "../../support/temp-folder.js";

describe("BufferRelease", () => {
  it("frees what it was given, some at a time, and nothing else", () => {
    const release = new BufferRelease();
    const given = Array.from({ length: 64 }, () => new Uint8Array(8192));
    const kept = Array.from({ length: 64 }, () => new Uint8Array(8192).fill(7));

    // A view of a part takes the whole buffer along.
    for (const bytes of given) release.release(bytes.subarray(0, 100));

    assert.ok(given.every(({ byteLength }) => byteLength === 0));
    assert.ok(kept.every((bytes) => bytes.every((value) => value === 7)));
  });

  it("works in a thread that never comes back to its event loop", async () => {
    const url = new URL("../../../shards/store/buffer-release.js", import.meta.url);
    const worker = new Worker(
      `import(${JSON.stringify(url.href)}).then(({ BufferRelease }) => {
        const release = new BufferRelease();
        const given = Array.from({ length: 320 }, () => new Uint8Array(8192));
        for (const bytes of given) release.release(bytes);
        require("node:worker_threads").parentPort.postMessage(given.filter((g) => g.byteLength).length);
      });`,
      { eval: true },
    );
    const left = await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    await worker.terminate();

    assert.equal(left, 0);
  });

  it("takes back every block of a store, and the next ones are read right", async () => {
    const dir = tempFolder();
    const model = await makeShardModel(dir, [{ rowCount: 3000, embeddingDim: 64 }]);
    const storePath = join(dir, "store");
    const plan = makePlan(model, [{ table: "t0" }]);
    await buildShardStore({ modelDir: model.dir, plan, shardId: "shard-0", out: storePath });
    const store = openShardStore(storePath);
    try {
      const [partition] = store.catalog.partitions;
      const first = Array.from({ length: partition!.blockCount }, (_, block) =>
        Uint8Array.from(store.readBlock(partition!, block)),
      );
      for (let block = 0; block < partition!.blockCount; block++) {
        const rows = store.readBlock(partition!, block);
        assert.deepEqual(Uint8Array.from(rows), first[block]);
        store.release(rows);
      }
    } finally {
      store.close();
    }
  });
});
