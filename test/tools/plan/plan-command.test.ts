import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { PACKAGE_ROOT } from "../../../lib/package-root.js";
import { readPlan } from "../../../lib/plan/plan-file.js";
import { writeAccessStats } from "../../../lib/stats/access-stats-file.js";
import { planManifest, planStats } from "../../support/plan-cases.js";
import { tempFolder } from "../../support/temp-folder.js";

const CLI = join(PACKAGE_ROOT, "dist/tools/main.js");

interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function shardpool(...args: readonly string[]): Promise<Outcome> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [CLI, ...args]);
    return { exitCode: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { exitCode: code, stdout, stderr };
  }
}

describe("shardpool plan", () => {
  const dir = tempFolder();
  const manifest = planManifest([
    { name: "ads", rowCount: 1000, poolingFactors: [5] },
    { name: "users", rowCount: 4000, poolingFactors: [1] },
  ]);
  mkdirSync(join(dir, "model"));
  writeFileSync(join(dir, "model/model.json"), JSON.stringify(manifest));
  const planFile = join(dir, "plan.json");
  const make = ["plan", "make", "--model", join(dir, "model")];

  it("makes a plan from statistics and shows it", async () => {
    const stats = planStats(manifest, { ads: [900, 50, 50], users: [1, 2, 3] });
    const { counts: _, formatVersion: __, ...header } = stats.header;
    const statsFile = join(dir, "stats.json");
    const countsByTable = new Map(["ads", "users"].map((name) => [name, stats.countsOf(name)]));
    await writeAccessStats(statsFile, header, countsByTable);

    const made = await shardpool(
      ...make,
      ...["--stats", statsFile, "--shards", "2", "--strategy", "load"],
      ...["--cache-fraction", "0.5", "--out", planFile, "--json"],
    );
    const shown = await shardpool("plan", "show", planFile);

    assert.equal(made.exitCode, 0, made.stderr);
    assert.deepEqual(
      JSON.parse(made.stdout).shards.map(({ shard }: { shard: string }) => shard),
      ["shard-0", "shard-1"],
    );
    assert.equal((await readPlan(planFile)).strategy, "load");
    assert.match(shown.stdout, /shard-1 .*\n/);
    assert.match(shown.stdout, /busiest over mean/);
  });

  it("makes the next epoch of a plan it replaces", async () => {
    await shardpool(...make, "--shards", "1", "--out", planFile);

    const next = join(dir, "next.json");
    await shardpool(...make, "--shards", "1", "--replaces", planFile, "--out", next);

    assert.equal((await readPlan(next)).epoch, 2);
  });

  it("ends with 1 and numbers where the tables do not fit", async () => {
    const out = join(dir, "misfit.json");

    const { exitCode, stderr } = await shardpool(
      ...make,
      ...["--shards", "2", "--disk-bytes-per-shard", "100KiB", "--out", out],
    );

    assert.equal(exitCode, 1);
    assert.match(stderr, /^shardpool: \[PLAN_DOES_NOT_FIT\] .* 115200 are missing; it fits with /);
    assert.equal(existsSync(out), false);
  });

  it("refuses options that contradict or do not parse, all at once", async () => {
    const { exitCode, stderr } = await shardpool(
      ...make,
      ...["--shards", "0", "--cache-fraction", "2", "--out", "x.json"],
    );

    assert.equal(exitCode, 1);
    assert.match(stderr, /shards: .*; cacheFraction: /);
  });

  it("refuses a plan changed by hand", async () => {
    await shardpool(...make, "--shards", "1", "--out", planFile);
    const plan = await readPlan(planFile);
    writeFileSync(planFile, JSON.stringify({ ...plan, epoch: 7 }));

    const { exitCode, stderr } = await shardpool("plan", "show", planFile);

    assert.equal(exitCode, 1);
    assert.match(stderr, /HASH_MISMATCH/);
  });

  it("plans for unequal machines under constraints, and says what another plan moves", async () => {
    const constraints = join(dir, "constraints.json");
    writeFileSync(constraints, JSON.stringify({ pin: { users: "small" } }));
    const machines = ["--shard", "big=1MiB:10MiB:2", "--shard", "small=1MiB:"];
    const pinned = join(dir, "pinned.json");

    const made = await shardpool(
      ...make,
      ...machines,
      "--constraints",
      constraints,
      "--out",
      pinned,
    );
    await shardpool(...make, ...machines, "--strategy", "one-shard", "--out", planFile);
    const diff = await shardpool("plan", "diff", planFile, pinned, "--json");

    assert.equal(made.exitCode, 0, made.stderr);
    assert.match(made.stdout, /what would help the slowest: one more shard: /);
    const plan = await readPlan(pinned);
    const [users] = plan.partitions.filter(({ table }) => table === "users");
    assert.deepEqual(users?.shards, ["small"]);
    const { bytesMoved, tables } = JSON.parse(diff.stdout);
    assert.equal(bytesMoved, 4000 * 64);
    assert.deepEqual(tables, [{ table: "users", bytesMoved, from: ["big"], to: ["small"] }]);
  });

  it("refuses constraints that name what is not there, all at once", async () => {
    const constraints = join(dir, "wrong.json");
    writeFileSync(constraints, JSON.stringify({ pin: { ads: "moon" }, whole: ["nothing"] }));

    const { exitCode, stderr } = await shardpool(
      ...make,
      ...["--shards", "2", "--constraints", constraints, "--out", join(dir, "no.json")],
    );

    assert.equal(exitCode, 1);
    assert.match(stderr, /ads on moon, no such shard; whole: the model has no table nothing/);
  });

  it("draws a plan as a page, and warns of block reads above a latency bound", async () => {
    const html = join(dir, "plan.html");
    await shardpool(...make, "--shards", "2", "--cache-fraction", "0.1", "--out", planFile);

    const drawn = await shardpool("plan", "show", planFile, "--html", html);
    const shown = await shardpool("plan", "show", planFile, "--latency-bound-ms", "0.001");

    assert.equal(drawn.exitCode, 0, drawn.stderr);
    assert.match(readFileSync(html, "utf8"), /^<!doctype html>[\s\S]*<td>users<\/td>/);
    assert.match(shown.stdout, /warning: block reads alone take shard-\d /);
  });
});
