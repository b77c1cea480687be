import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeJsonFile } from "../../lib/files.js";
import { Random } from "../../lib/random.js";
import { inspectShardStore } from "../../shards/index.js";
import { buildInChild, killBuilds } from "./build-killer.js";
import { makePlan, makeShardModel } from "./shard-model.js";
import { makeShardStats } from "./shard-stats.js";

/** Kills builds `count` times; whatever they leave, a store is whole or not there, and the next build is right. */
export async function checkKilledBuilds(dir: string, count: number): Promise<void> {
  const model = await makeShardModel(dir, [{ rowCount: 60_000, embeddingDim: 64 }]);
  const reads = new Random(1, "reads");
  const stats = await makeShardStats(dir, model, () => Math.floor(1 / reads.nextFloat()));
  const planFile = join(dir, "plan.json");
  await writeJsonFile(planFile, makePlan(model, [{ table: "t0" }], ["shard-0"], stats.hash));
  const storeDir = join(dir, "stores");
  mkdirSync(storeDir);
  const out = join(storeDir, "store.sqlite");
  const build = { modelDir: model.dir, planFile, statsFile: join(dir, "stats.json"), out };
  const assertWhole = (): void => {
    const inspected = inspectShardStore(out, { verify: true });
    assert.equal(inspected.verified?.corruptCount, 0);
    assert.equal(inspected.verified.blockCount, 60_000 / 32);
  };

  const killed = await killBuilds(build, count, new Random(2, "kills"), () => {
    assertWhole();
    rmSync(out);
  });
  assert.ok(killed.unfinished > 0, "no build was killed before its end");
  assert.ok(killed.abandoned > 0, "no build was killed while it wrote");

  await buildInChild(build);
  assertWhole();
  assert.deepEqual(readdirSync(storeDir), ["store.sqlite"]);
}
