import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import { buildShardStore, inspectShardStore, openLookupEngine } from "../../../shards/index.js";
import { checkKilledBuilds } from "../../support/kill-builds-case.js";
import { makePlan, makeShardModel } from "../../support/shard-model.js";
import { makeShardStats } from "../../support/shard-stats.js";
import { tempFolder } from "../../support/temp-folder.js";

const TABLES = [{ rowCount: 4000, embeddingDim: 64 }];
const CHOICES = [{ table: "t0" }];
const shardId = "shard-0";

describe("buildShardStore()", () => {
  it("makes the same bytes from the same input", async () => {
    const dir = tempFolder();
    const model = await makeShardModel(dir, TABLES);
    const stats = await makeShardStats(dir, model, (_, row) => row % 100);
    const plan = makePlan(model, CHOICES, [shardId], stats.hash);
    const outs = [join(dir, "a"), join(dir, "b")] as const;
    for (const out of outs)
      await buildShardStore({ modelDir: model.dir, plan, shardId, stats, out });
    assert.ok(readFileSync(outs[0]).equals(readFileSync(outs[1])));
  });

  it("keeps a store that holds the partitions, and builds anew for other statistics", async () => {
    const dir = tempFolder();
    const model = await makeShardModel(dir, TABLES);
    const stats = await makeShardStats(dir, model, (_, row) => row % 100);
    const plan = makePlan(model, CHOICES, [shardId], stats.hash);
    const build = { modelDir: model.dir, plan, shardId, out: join(dir, "store") };
    const plain = await buildShardStore(build);
    assert.deepEqual([plain.reused, plain.statsHash], [false, null]);
    const placed = await buildShardStore({ ...build, stats });
    assert.deepEqual([placed.reused, placed.statsHash], [false, stats.hash]);
    assert.equal((await buildShardStore({ ...build, stats })).reused, true);
    const kept = await buildShardStore(build);
    assert.deepEqual([kept.reused, kept.statsHash], [true, stats.hash]);
  });

  it("refuses statistics that the plan was not made from", async () => {
    const dir = tempFolder();
    const model = await makeShardModel(dir, TABLES);
    const stats = await makeShardStats(dir, model, (_, row) => row % 100);
    const build = { modelDir: model.dir, shardId, stats, out: join(dir, "store") };
    for (const hash of [null, "0".repeat(64)]) {
      const plan = makePlan(model, CHOICES, [shardId], hash);
      await assert.rejects(buildShardStore({ ...build, plan }), { code: "PLAN_MISMATCH" });
    }
    assert.equal(existsSync(build.out), false);
  });

  it("says how far it is, up to the last row", async () => {
    const dir = tempFolder();
    const model = await makeShardModel(dir, [{ rowCount: 40_000, embeddingDim: 64 }, ...TABLES]);
    const plan = makePlan(model, [{ table: "t0" }, { table: "t1" }]);
    const told: (readonly [number, number])[] = [];
    const onProgress = (done: number, all: number) => told.push([done, all]);
    await buildShardStore({ modelDir: model.dir, plan, shardId, out: join(dir, "s"), onProgress });
    assert.deepEqual(told.at(-1), [44_000, 44_000]);
    assert.deepEqual(
      told,
      told.toSorted(([a], [b]) => a - b),
    );
    assert.ok(told.length > 3);
  });

  it("leaves a whole store or none when it is killed", async () => {
    await checkKilledBuilds(tempFolder(), 8);
  });

  it("says that the disk is full and leaves nothing", async (t) => {
    const dir = tempFolder();
    const small = join(dir, "small");
    const why = mountSmall(small);
    if (why !== undefined) return t.skip(why);
    try {
      const model = await makeShardModel(dir, [{ rowCount: 20_000, embeddingDim: 64 }]);
      const out = join(small, "stores", "store.sqlite");
      const plan = makePlan(model, CHOICES);
      await assert.rejects(buildShardStore({ modelDir: model.dir, plan, shardId, out }), {
        code: "DISK_FULL",
        message: new RegExp(out),
      });
      assert.deepEqual(readdirSync(join(small, "stores")), []);
    } finally {
      spawnSync("umount", [small]);
    }
  });
});

describe("a store that is not whole", () => {
  it("is refused when it was cut short or its catalog was changed", async () => {
    const out = await buildSmallStore(tempFolder());
    const db = new Database(out);
    db.prepare("UPDATE partitions SET rowsPerBlock = 64").run();
    db.close();
    assert.throws(() => openLookupEngine({ storePath: out }), { code: "HASH_MISMATCH" });
    truncateSync(out, statSync(out).size - 4096);
    assert.throws(() => openLookupEngine({ storePath: out }), { code: "FILE_CORRUPT" });
  });

  it("is refused when the classes of its rows are corrupt", async () => {
    const out = await buildSmallStore(tempFolder());
    const db = new Database(out);
    db.prepare("UPDATE rowClasses SET bytes = zeroblob(length(bytes))").run();
    db.close();
    assert.throws(() => openLookupEngine({ storePath: out }), { code: "BLOCK_CORRUPT" });
    assert.equal(inspectShardStore(out, { verify: true }).verified?.corruptCount, 1);
  });
});

async function buildSmallStore(dir: string): Promise<string> {
  const model = await makeShardModel(dir, TABLES);
  const stats = await makeShardStats(dir, model, (_, row) => row % 100);
  const plan = makePlan(model, CHOICES, [shardId], stats.hash);
  const out = join(dir, "store");
  await buildShardStore({ modelDir: model.dir, plan, shardId, stats, out });
  return out;
}

/** Mounts a file system of 2 MiB. @returns Why not, if not. */
function mountSmall(path: string): string | undefined {
  if (process.platform !== "linux") return "needs Linux to mount a small file system";
  mkdirSync(path);
  const { status, stderr, error } = spawnSync(
    "mount",
    ["-t", "tmpfs", "-o", "size=2m", "tmpfs", path],
    { encoding: "utf8" },
  );
  if (status === 0) return undefined;
  return `cannot mount a small file system: ${error?.message ?? stderr.trim()}`;
}
