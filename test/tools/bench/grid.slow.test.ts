import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runCli } from "../../support/run-cli.js";
import { tempFolder } from "../../support/temp-folder.js";

describe("shardpool bench grid", () => {
  it("measures every cell with real processes, and keeps them", async () => {
    const folder = tempFolder();
    const model = join(folder, "model");
    const clicks = join(folder, "clicks.arrow");
    const stats = join(folder, "stats.json");
    const grid = [
      ...["bench", "grid", "--model", model, "--clicks", clicks, "--stats", stats],
      ...["--out", join(folder, "grid"), "--strategies", "one-shard,load", "--shard-counts", "2"],
      ...["--seconds", "1", "--warmup-seconds", "0.2", "--rounds", "2"],
    ];
    for (const args of [
      ["model", "synth", "--preset", "tiny", "--out", model],
      [
        "clicks",
        "synth",
        "--model",
        model,
        "--samples",
        "1000",
        "--profile",
        "zipf:1",
        "--out",
        clicks,
      ],
      ["clicks", "stats", "--model", model, "--clicks", clicks, "--out", stats],
    ]) {
      assert.equal((await runCli(args)).exitCode, 0);
    }

    const first = await runCli(grid, { timeoutMs: 120_000 });
    const second = await runCli([...grid, "--json"], { timeoutMs: 20_000 });

    assert.equal(first.exitCode, 0, first.stderr);
    assert.match(first.stdout, /one-shard +1 /);
    assert.match(second.stderr, /load on 2 \(kept\)/);
    const { cells } = JSON.parse(second.stdout) as { cells: { overhead: { p50: number } }[] };
    assert.equal(cells.length, 2);
    assert.ok(cells.every(({ overhead }) => overhead.p50 > 0));
  });
});
