import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { buildShardStore, openLookupEngine, startShard } from "../../../shards/index.js";
import { preloadShard } from "../../../shards/server/preload-shard.js";
import { makePlan, makeShardModel } from "../../support/shard-model.js";
import { tempFolder } from "../../support/temp-folder.js";

const ROW_COUNT = 20_000;
const ROW_BYTES = 256;
const BLOCK_COUNT = ROW_COUNT / 32;

describe("preloadShard()", () => {
  const dir = tempFolder();
  const storeFile = join(dir, "store");

  before(async () => {
    const model = await makeShardModel(dir, [{ rowCount: ROW_COUNT, embeddingDim: 64 }]);
    const plan = makePlan(model, [{ table: "t0" }]);
    await buildShardStore({ modelDir: model.dir, plan, shardId: "shard-0", out: storeFile });
  });

  async function logOf(cacheBytes: number | undefined, msEachRead: number) {
    const lines: (readonly [string, object])[] = [];
    const log = { info: (fields: object, message: string) => lines.push([message, fields]) };
    let nowMs = 0;
    const clock = { nowMs: () => (nowMs += msEachRead), wallMs: () => 0 };
    const engine = openLookupEngine({
      ...{ storePath: storeFile, readerCount: 0 },
      ...(cacheBytes !== undefined && { cacheBytes }),
    });
    try {
      await preloadShard(engine, log, clock);
    } finally {
      engine.close();
    }
    return lines;
  }

  it("says how far it is once in two seconds, and what it took", async () => {
    // The clock is read at the start, every 256 blocks, and at the end.
    const whole = { rows: ROW_COUNT, rowBytes: ROW_COUNT * ROW_BYTES, rowsStored: ROW_COUNT };
    assert.deepEqual(await logOf(undefined, 1500), [
      ["preloading", { blocks: 512, of: BLOCK_COUNT, ms: 3000 }],
      ["preloaded", { blocks: BLOCK_COUNT, ...whole, ms: 4500 }],
    ]);
  });

  it("counts the blocks there is room for, not all there are", async () => {
    const rows = 400 * 32;
    const held = { rows, rowBytes: rows * ROW_BYTES, rowsStored: ROW_COUNT };
    assert.deepEqual(await logOf(rows * ROW_BYTES, 2000), [
      ["preloading", { blocks: 256, of: 400, ms: 2000 }],
      ["preloaded", { blocks: 400, ...held, ms: 4000 }],
    ]);
  });

  it("is done before a shard serves, or not at all", async () => {
    for (const preload of [true, false]) {
      const listenAddress = "127.0.0.1:0";
      const shard = await startShard({ storeFile, listenAddress, logLevel: "silent", preload });
      try {
        const { cacheBytesResident } = shard.engine.counters(0);
        assert.equal(cacheBytesResident, preload ? ROW_COUNT * ROW_BYTES : 0);
      } finally {
        await shard.close();
      }
    }
  });
});
