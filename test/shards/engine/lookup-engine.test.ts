import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import fc from "fast-check";
import { Random } from "../../../lib/random.js";
import { buildShardStore, openLookupEngine } from "../../../shards/index.js";
import { expectedSums, randomRequest, sum } from "../../support/random-lookups.js";
import { makePlan, makeShardModel, type PartitionChoice } from "../../support/shard-model.js";
import { makeShardStats } from "../../support/shard-stats.js";
import { tempFolder } from "../../support/temp-folder.js";

const SEED_MAX = 2 ** 31;

describe("LookupEngine", () => {
  it("sums as a plain loop does, whatever the dtype, the cache, the bags and the splits", async () => {
    const dir = tempFolder();
    const model = await makeShardModel(dir, [
      { rowCount: 1000, embeddingDim: 64 },
      { rowCount: 700, embeddingDim: 37 },
      { rowCount: 3, embeddingDim: 1 },
      { rowCount: 900, embeddingDim: 64, dtype: "int8" },
      { rowCount: 800, embeddingDim: 33, dtype: "int4" },
      { rowCount: 600, embeddingDim: 40, dtype: "float16" },
    ]);
    const choices: PartitionChoice[] = [
      { table: "t0", rowStart: 0, rowEnd: 333, columnStart: 16, columnEnd: 64 },
      { table: "t0", rowStart: 0, rowEnd: 333, columnStart: 0, columnEnd: 16 },
      { table: "t0", rowStart: 333, rowEnd: 1000 },
      { table: "t1" },
      { table: "t2" },
      { table: "t3", columnStart: 0, columnEnd: 48 },
      { table: "t3", columnStart: 48, columnEnd: 64 },
      { table: "t4", columnStart: 0, columnEnd: 16 },
      { table: "t4", columnStart: 16, columnEnd: 33 },
      { table: "t5", rowStart: 0, rowEnd: 250 },
      { table: "t5", rowStart: 250, rowEnd: 600, columnStart: 0, columnEnd: 32 },
      { table: "t5", rowStart: 250, rowEnd: 600, columnStart: 32, columnEnd: 40 },
    ];
    const random = new Random(1, "statistics");
    const stats = await makeShardStats(dir, model, () => Math.floor(1 / random.nextFloat()) - 1);
    const storePaths = { identity: join(dir, "identity"), placed: join(dir, "placed") };
    const build = { modelDir: model.dir, shardId: "shard-0" };
    const placedPlan = makePlan(model, choices, ["shard-0"], stats.hash);
    await buildShardStore({ ...build, plan: makePlan(model, choices), out: storePaths.identity });
    await buildShardStore({ ...build, plan: placedPlan, stats, out: storePaths.placed });

    await fc.assert(
      fc.asyncProperty(
        fc.nat(SEED_MAX),
        fc.constantFrom(0, 8192, 20_000, 100_000, 2 ** 30),
        fc.constantFrom(300, 5000, 1024 * 1024),
        fc.integer({ min: 1, max: 12 }),
        fc.constantFrom("identity" as const, "placed" as const),
        // A reader costs a tenth of a second to start.
        fc.nat(9).map((draw) => (draw === 0 ? 2 : 0)),
        fc.boolean(),
        async (seed, cacheBytes, missedBytesMax, sampleCount, order, readerCount, preloaded) => {
          const plan = makePlan(
            model,
            choices.map((choice) => ({ ...choice, cacheBytes })),
            ["shard-0"],
            order === "placed" ? stats.hash : null,
          );
          const storePath = storePaths[order];
          const engine = openLookupEngine({
            storePath,
            plan,
            limits: { missedBytesMax },
            readerCount,
          });
          try {
            if (preloaded) await engine.preload();
            const random = new Random(seed, "lookups");
            for (let i = 0; i < 3; i++) {
              const requests = [0, 1, 2].map(() => randomRequest(engine, sampleCount, random));
              const replies = await Promise.all(requests.map((request) => engine.lookup(request)));
              replies.forEach((reply, at) => {
                assert.deepEqual(reply.pooled, expectedSums(engine, model, requests[at]!));
                const valueCount = sum(requests[at]!.segments.map(({ values }) => values.length));
                assert.equal(reply.rowsHit + reply.rowsMissed, valueCount);
              });
            }
          } finally {
            engine.close();
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("sums the same when a partition's cache is spread over several memories", async () => {
    const dir = tempFolder();
    const model = await makeShardModel(dir, [
      { rowCount: 40_000, embeddingDim: 64 },
      { rowCount: 500, embeddingDim: 64 },
    ]);
    const random = new Random(3, "statistics");
    const stats = await makeShardStats(dir, model, () => Math.floor(1 / random.nextFloat()) - 1);
    const choices = [{ table: "t0" }, { table: "t1" }];
    const plan = makePlan(model, choices, ["shard-0"], stats.hash);
    const storePath = join(dir, "store");
    await buildShardStore({ modelDir: model.dir, plan, shardId: "shard-0", stats, out: storePath });

    // 2.7 MiB of a memory are scratch areas; t0 has 10 MB of rows.
    const slabBytesMax = 4 * 1024 * 1024;
    for (const cacheBytes of [2 ** 40, 7_000_000]) {
      const engine = openLookupEngine({ storePath, slabBytesMax, cacheBytes });
      try {
        await engine.preload();
        const hitsBefore = engine.counters(0).rowsHit;
        for (let i = 0; i < 20; i++) {
          const request = randomRequest(engine, 40, random);
          const reply = await engine.lookup(request);
          assert.deepEqual(reply.pooled, expectedSums(engine, model, request));
          const valueCount = sum(request.segments.map(({ values }) => values.length));
          assert.equal(reply.rowsHit + reply.rowsMissed, valueCount);
          if (cacheBytes === 2 ** 40) assert.equal(reply.rowsMissed, 0);
        }
        assert.ok(engine.counters(0).rowsHit > hitsBefore);
        assert.equal(engine.counters(0).blocksEvicted > 0, cacheBytes === 7_000_000);
      } finally {
        engine.close();
      }
    }
  });

  it("says that a memory is too small for a partition's index", async () => {
    const dir = tempFolder();
    const model = await makeShardModel(dir, [{ rowCount: 1000, embeddingDim: 64 }]);
    const storePath = join(dir, "store");
    const plan = makePlan(model, [{ table: "t0" }]);
    await buildShardStore({ modelDir: model.dir, plan, shardId: "shard-0", out: storePath });
    assert.throws(() => openLookupEngine({ storePath, slabBytesMax: 1024 * 1024 }), {
      code: "LIMIT_EXCEEDED",
      message: /table t0 rows 0-1000/,
    });
  });

  it("preloads the rows that were read most, and leaves out a block that is corrupt", async () => {
    const dir = tempFolder();
    const model = await makeShardModel(dir, [{ rowCount: 4000, embeddingDim: 64 }]);
    // The 300 rows that were read are every 13th.
    const stats = await makeShardStats(dir, model, (_, row) =>
      row % 13 === 0 && row < 3900 ? 5000 - row : 0,
    );
    const plan = makePlan(model, [{ table: "t0" }], ["shard-0"], stats.hash);
    const storePath = join(dir, "store");
    await buildShardStore({ modelDir: model.dir, plan, shardId: "shard-0", stats, out: storePath });
    const hot = {
      sampleCount: 1,
      segments: [
        {
          partition: 0,
          lengths: Uint32Array.of(300),
          values: Uint32Array.from({ length: 300 }, (_, i) => i * 13),
        },
      ],
    };
    const engine = openLookupEngine({ storePath, cacheBytes: 320 * 256 });
    assert.equal(await engine.preload(), 10);
    assert.equal((await engine.lookup(hot)).rowsMissed, 0);
    engine.close();

    const db = new Database(storePath);
    db.prepare("UPDATE blocks SET bytes = zeroblob(length(bytes)) WHERE id = 3").run();
    db.close();
    const damaged = openLookupEngine({ storePath, cacheBytes: 320 * 256 });
    await damaged.preload();
    await assert.rejects(damaged.lookup(hot), { code: "BLOCK_CORRUPT" });
    damaged.close();
  });
});
