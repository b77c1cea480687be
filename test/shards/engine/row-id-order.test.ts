import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import Database from "better-sqlite3";
import { rowBytesOf } from "../../../lib/model/dtype.js";
import type { Model } from "../../../lib/model/model-directory.js";
import { Random } from "../../../lib/random.js";
import {
  buildShardStore,
  type LookupEngine,
  type LookupEngineOptions,
  openLookupEngine,
} from "../../../shards/index.js";
import { expectedSums, randomRequest, sum } from "../../support/random-lookups.js";
import { makePlan, makeShardModel, type PartitionChoice } from "../../support/shard-model.js";
import { makeShardStats } from "../../support/shard-stats.js";
import { tempFolder } from "../../support/temp-folder.js";

const CHOICES: readonly PartitionChoice[] = [
  { table: "t0", columnStart: 0, columnEnd: 16 },
  { table: "t0", columnStart: 16, columnEnd: 64 },
  { table: "t1" },
  { table: "t2", rowEnd: 1111 },
  { table: "t2", rowStart: 1111 },
  { table: "t3" },
  { table: "t4" },
];

describe("rows in row-id order", () => {
  let model: Model;
  let statsHash: string;
  let storePath: string;
  const dir = tempFolder();

  before(async () => {
    model = await makeShardModel(dir, [
      { rowCount: 12_000, embeddingDim: 64 },
      { rowCount: 3000, embeddingDim: 33, dtype: "int4" },
      { rowCount: 3000, embeddingDim: 64, dtype: "int8" },
      { rowCount: 2000, embeddingDim: 40, dtype: "float16" },
      { rowCount: 3, embeddingDim: 1 },
    ]);
    const random = new Random(1, "statistics");
    const stats = await makeShardStats(dir, model, () => Math.floor(1 / random.nextFloat()) - 1);
    statsHash = stats.hash;
    storePath = await build(join(dir, "store"));

    async function build(out: string): Promise<string> {
      const plan = makePlan(model, CHOICES, ["shard-0"], stats.hash);
      await buildShardStore({ modelDir: model.dir, plan, shardId: "shard-0", stats, out });
      return out;
    }
  });

  async function withEngine(
    options: Partial<LookupEngineOptions>,
    use: (engine: LookupEngine) => Promise<void>,
  ): Promise<void> {
    const engine = openLookupEngine({ storePath, readerCount: 0, ...options });
    try {
      await use(engine);
    } finally {
      engine.close();
    }
  }

  /** Bytes of the lines that place a store's rows: 64 for 128 rows. */
  const lineBytes = (engine: LookupEngine): number =>
    sum(
      engine.partitions.map(({ stored: { rowStart, rowEnd, classRowCounts } }) =>
        classRowCounts === null ? 0 : Math.ceil((rowEnd - rowStart) / 128) * 64,
      ),
    );

  it("sums as a plain loop does, and keeps no placement", async () => {
    // 2.7 MiB of a memory are scratch areas: with 6 MiB the partitions are in several.
    for (const slabBytesMax of [2 ** 31, 6 * 1024 * 1024]) {
      await withEngine({ slabBytesMax }, async (engine) => {
        const bytesBefore = engine.memoryBytes;
        const blocks = sum(engine.partitions.map(({ stored }) => stored.blockCount));
        assert.equal(await engine.preload(), blocks);
        assert.ok(bytesBefore - engine.memoryBytes >= lineBytes(engine));
        assert.equal(await engine.preload(), 0);
        await assertAllHit(engine, model, new Random(7));
      });
    }
  });

  it("is taken when a plan's caches pay for every row, and for these partitions only", async () => {
    const fullBytes = ({ table, rowStart = 0, rowEnd, ...columns }: PartitionChoice): number => {
      const { rowCount, embeddingDim, dtype } = model.manifest.tables.find(
        ({ name }) => name === table,
      )!;
      const { columnStart = 0, columnEnd = embeddingDim } = columns;
      return ((rowEnd ?? rowCount) - rowStart) * rowBytesOf(dtype, columnEnd - columnStart);
    };
    const planWith = (share: (i: number) => number) =>
      makePlan(
        model,
        CHOICES.map((choice, i) => ({
          ...choice,
          cacheBytes: Math.floor(fullBytes(choice) * share(i)),
        })),
        ["shard-0"],
        statsHash,
      );
    await withEngine({ plan: planWith(() => 1) }, async (engine) => {
      const bytesBefore = engine.memoryBytes;
      await engine.preload();
      assert.ok(bytesBefore - engine.memoryBytes >= lineBytes(engine));
      await assertAllHit(engine, model, new Random(8));
    });
    await withEngine({ plan: planWith((i) => (i % 2 === 0 ? 1 : 0.5)) }, async (engine) => {
      await engine.preload();
      for (let i = 0; i < 20; i++) await assertSums(engine, model, new Random(i));
      for (const [i] of CHOICES.slice(0, -1).entries()) {
        assert.equal(engine.counters(i).rowsMissed === 0, i % 2 === 0, `partition ${i}`);
      }
    });
  });

  it("answers lookups that come while rows are brought in, and those that wait from before", async () => {
    await withEngine({}, async (engine) => {
      const random = new Random(9);
      const early = Array.from({ length: 4 }, () => assertSums(engine, model, random));
      let isDone = false;
      const preloaded = engine.preload().finally(() => {
        isDone = true;
      });
      while (!isDone) {
        await assertSums(engine, model, random);
        await nextTurn();
      }
      await Promise.all([...early, preloaded]);
      const before = sumOfMisses(engine);
      assert.ok(before > 0);
      await assertSums(engine, model, random);
      assert.equal(sumOfMisses(engine), before);
    });
  });

  it("leaves a partition with a corrupt block in placement order, and says which lookups want it", async () => {
    const damagedPath = join(dir, "damaged");
    new Database(storePath, { readonly: true }).exec(`VACUUM INTO '${damagedPath}'`).close();
    // Block 5 of the second partition.
    const { firstBlock, rowsPerBlock } = await storedPartition(1);
    const db = new Database(damagedPath);
    db.prepare("UPDATE blocks SET bytes = zeroblob(length(bytes)) WHERE id = ?").run(
      firstBlock + 5,
    );
    db.close();
    await withEngine({ storePath: damagedPath }, async (engine) => {
      await engine.preload();
      const lookUp = (partition: number, row: number) => {
        const request = {
          sampleCount: 1,
          segments: [{ partition, lengths: Uint32Array.of(1), values: Uint32Array.of(row) }],
        };
        return engine.lookup(request).then(
          ({ pooled, rowsHit }) => {
            assert.deepEqual(pooled, expectedSums(engine, model, request));
            assert.equal(rowsHit, 1);
            return 0;
          },
          (error) => {
            assert.equal(error.code, "BLOCK_CORRUPT");
            return 1;
          },
        );
      };
      const corruptRows = async (partition: number) => {
        let count = 0;
        for (let row = 0; row < 12_000; row++) count += await lookUp(partition, row);
        return count;
      };
      assert.equal(await corruptRows(0), 0);
      assert.equal(await corruptRows(1), rowsPerBlock);
      assert.equal(engine.counters(0).rowsMissed, 0);
      assert.equal(engine.counters(1).rowsHit, 12_000 - rowsPerBlock);
    });
  });

  async function storedPartition(number: number) {
    const engine = openLookupEngine({ storePath, readerCount: 0 });
    engine.close();
    return engine.partitions[number]!.stored;
  }
});

async function assertSums(engine: LookupEngine, model: Model, random: Random): Promise<void> {
  const request = randomRequest(engine, 30, random);
  const reply = await engine.lookup(request);
  assert.deepEqual(reply.pooled, expectedSums(engine, model, request));
  const valueCount = sum(request.segments.map(({ values }) => values.length));
  assert.equal(reply.rowsHit + reply.rowsMissed, valueCount);
}

/** Every lookup is right and hits, and the counters say so. */
async function assertAllHit(engine: LookupEngine, model: Model, random: Random): Promise<void> {
  for (let i = 0; i < 30; i++) await assertSums(engine, model, random);
  for (const [number, { stored }] of engine.partitions.entries()) {
    const counters = engine.counters(number);
    assert.ok(counters.rowsHit > 0);
    assert.equal(counters.rowsMissed, 0);
    assert.equal(
      counters.cacheBytesResident,
      stored.blockCount * stored.rowsPerBlock * stored.rowBytes,
    );
  }
}

function sumOfMisses(engine: LookupEngine): number {
  return sum(engine.partitions.map((_, number) => engine.counters(number).rowsMissed));
}
