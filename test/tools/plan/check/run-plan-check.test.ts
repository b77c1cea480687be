import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { synthClicks } from "../../../../tools/clicks/clicks-synth.js";
import { runPlanCheck } from "../../../../tools/plan/check/run-plan-check.js";
import { makeClickModel } from "../../../support/click-models.js";
import { tempFolder } from "../../../support/temp-folder.js";

const folder = tempFolder();
const parentDir = tempFolder();
const model = await makeClickModel(join(folder, "model"), [
  { rowCount: 4000, poolingFactor: 20 },
  { rowCount: 2000, poolingFactor: 2 },
  { rowCount: 10, poolingFactor: 1 },
]);
const clicks = join(folder, "clicks.arrow");
await synthClicks({
  ...{ model: model.dir, out: clicks, samples: 4000, profile: "zipf:1.05" },
  ...{ seed: 1, locality: 0, window: 1000 },
});

const options = {
  ...{ model: model.dir, clicks, shards: 2, cacheFraction: 1 },
  ...{ warmupQueries: 6, queries: 4, signal: new AbortController().signal, parentDir },
};

describe("plan check", () => {
  it("measures the shards of each strategy's plan and leaves nothing behind", async () => {
    const check = await runPlanCheck({ ...options, strategies: ["one-shard", "load"] });

    assert.deepEqual(
      check.strategies.map(({ strategy, shards }) => [strategy, shards.length]),
      [
        ["one-shard", 1],
        ["load", 2],
      ],
    );
    for (const shard of check.strategies.flatMap(({ shards }) => shards)) {
      assert.ok(shard.estimatedUs > 0 && shard.cpuUs > 0 && shard.serviceUs > 0);
      // Every row has been read or fits: after the warm-up few are left to miss.
      assert.ok(shard.hitRatio > 0.8, `${shard.hitRatio}`);
    }
    assert.ok(check.querySamples > 1);
    assert.match(check.statsSource, /^first [0-9]+ queries of /);
    assert.equal(check.statsKnowQueries, false);
    assert.ok(Number.isFinite(check.byCpu.meanError));
    assert.deepEqual(readdirSync(parentDir), []);
  });

  it("refuses a log that is too short", async () => {
    await assert.rejects(runPlanCheck({ ...options, strategies: ["load"], queries: 5000 }), {
      code: "CLICKS_INVALID",
      message: /5000 to measure/,
    });
  });
});
