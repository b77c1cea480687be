import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { buildShardStore, openLookupEngine } from "../../../shards/index.js";
import { makePlan, makeShardModel } from "../../support/shard-model.js";
import { makeShardStats } from "../../support/shard-stats.js";
import { tempFolder } from "../../support/temp-folder.js";

const ROW_COUNT = 64_000;
const ROW_BYTES = 64;
const BLOCK_BYTES = 8192;

describe("engine memory", () => {
  const dir = tempFolder();
  const storePath = join(dir, "store");

  before(async () => {
    const model = await makeShardModel(dir, [{ rowCount: ROW_COUNT, embeddingDim: 16 }]);
    const stats = await makeShardStats(dir, model, (_, row) => (row % 13) + 1);
    const plan = makePlan(model, [{ table: "t0" }], ["shard-0"], stats.hash);
    await buildShardStore({ modelDir: model.dir, plan, shardId: "shard-0", stats, out: storePath });
  });

  function partsOf(options: object = {}) {
    const engine = openLookupEngine({ storePath, ...options });
    const { memoryBytes, memoryParts, partitions } = engine;
    engine.close();
    return { memoryBytes, parts: memoryParts, stored: partitions[0]!.stored };
  }

  it("is the sum of its parts", () => {
    const { memoryBytes, parts } = partsOf();

    assert.equal(
      memoryBytes,
      Object.values(parts).reduce((sum, bytes) => sum + bytes, 0),
    );
    assert.ok(Object.values(parts).every((bytes) => bytes > 0));
  });

  it("has rows as cacheBytes say, in whole blocks, and an index of less than 1.5 % of a block a slot", () => {
    for (const blocks of [1, 100, 400]) {
      const { parts, stored } = partsOf({ cacheBytes: blocks * BLOCK_BYTES + 1 });

      assert.equal(parts.rows, blocks * BLOCK_BYTES);
      const slotBytes = parts.index - stored.blockCount * 6 - 128;
      assert.ok(slotBytes <= blocks * 0.015 * BLOCK_BYTES, `${slotBytes} for ${blocks} slots`);
    }
  });

  it("has half a byte a row to find it, and 32 bytes for every 65,536", () => {
    const { parts } = partsOf({ cacheBytes: 10 * BLOCK_BYTES });

    const runs = Math.ceil(ROW_COUNT / 65_536);
    // Areas end on a multiple of 64 bytes.
    assert.ok(parts.placement >= ROW_COUNT / 2 + 32 * runs);
    assert.ok(parts.placement <= ROW_COUNT / 2 + 32 * runs + 4 * 64);
  });

  it("grows by what readers, waiting lookups and counters may take", () => {
    const least = { readerCount: 0, accessCountsEvery: 0, limits: { waitingMax: 1 } };
    const { parts: small } = partsOf(least);
    const { parts: large } = partsOf({
      ...{ readerCount: 3, accessCountsEvery: 5, limits: { waitingMax: 4, missedBytesMax: 1000 } },
    });

    assert.deepEqual([small.readers, small.accessCounts], [0, 0]);
    // Twice, as old counts are still sent when new ones have begun.
    assert.equal(large.accessCounts, 2 * 4 * ROW_COUNT);
    // A quarter more for buffers that are kept to be used again.
    assert.equal(large.missedRows, 1250);
    assert.ok(large.readers > 3 * 2 * 256 * 1024);
  });

  it("is bounded by memoryBytesMax: an engine that could pass it does not open", () => {
    const { memoryBytes } = partsOf({ cacheBytes: 50 * BLOCK_BYTES });
    const options = { storePath, cacheBytes: 50 * BLOCK_BYTES };

    openLookupEngine({ ...options, memoryBytesMax: memoryBytes }).close();
    assert.throws(() => openLookupEngine({ ...options, memoryBytesMax: memoryBytes - 1 }), {
      code: "CONFIG_INVALID",
      message: new RegExp(`need ${memoryBytes} bytes, memoryBytesMax is ${memoryBytes - 1}`),
    });
  });

  it("counts each row's bytes once, wherever its block lies", () => {
    const whole = partsOf();
    // 2.7 MiB of a memory are scratch areas: the rest of the slots lie outside.
    const spread = partsOf({ slabBytesMax: 4 * 1024 * 1024 });

    assert.equal(spread.parts.rows, whole.parts.rows);
    assert.equal(whole.parts.rows, ROW_COUNT * ROW_BYTES);
  });
});
