import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Random } from "../../../lib/random.js";
import { fetchShardDescription } from "../../../lib/rpc/describe-client.js";
import { fetchAccessCounts } from "../../../lib/rpc/stats-client.js";
import { readAccessStats } from "../../../lib/stats/access-stats-file.js";
import { buildShardStore, type RunningShard, startShard } from "../../../shards/index.js";
import { runCli } from "../../support/run-cli.js";
import { makePlan, makeShardModel, type PartitionChoice } from "../../support/shard-model.js";
import { tempFolder } from "../../support/temp-folder.js";

const SHARDS = ["shard-0", "shard-1"];

const CHOICES: readonly PartitionChoice[] = [
  // Cut by rows and columns; every part has a replica.
  { table: "t0", rowStart: 0, rowEnd: 30, columnStart: 0, columnEnd: 16 },
  { table: "t0", rowStart: 0, rowEnd: 30, columnStart: 16, columnEnd: 32 },
  { table: "t0", rowStart: 30, rowEnd: 100 },
  { table: "t1" },
];

describe("cluster stats", () => {
  it("writes what shards counted: replicas add up, columns do not, plan make takes it", async () => {
    const dir = tempFolder();
    const model = await makeShardModel(dir, [
      { rowCount: 100, embeddingDim: 32 },
      { rowCount: 70_000, embeddingDim: 4 },
    ]);
    const plan = makePlan(
      model,
      CHOICES.map((choice) => ({ ...choice, shards: SHARDS })),
      SHARDS,
    );
    const shards: RunningShard[] = [];
    try {
      for (const shardId of SHARDS) {
        const storeFile = join(dir, `${shardId}.sqlite`);
        await buildShardStore({ modelDir: model.dir, plan, shardId, out: storeFile });
        const listenAddress = "127.0.0.1:0";
        shards.push(
          await startShard({ storeFile, listenAddress, logLevel: "silent", accessCountsEvery: 1 }),
        );
      }
      const expected = { t0: new Map<number, number>(), t1: new Map<number, number>() };
      const random = new Random(1, "lookups");
      for (const { engine } of shards) {
        const every = Uint32Array.from({ length: 70_000 }, (_, row) => row);
        await lookUp(engine, [[], [], [], every], expected);
        for (let i = 0; i < 5; i++) {
          const low = Uint32Array.from({ length: 9 }, () => random.nextBelow(30));
          const high = Uint32Array.from({ length: 9 }, () => random.nextBelow(70));
          await lookUp(engine, [low, low, high, [7, 7]], expected);
        }
      }

      const { partitions } = await fetchShardDescription(shards[0]!.address, { timeoutMs: 5000 });
      assert.equal(partitions[0]!.counters!.blocksRefused, "0");
      const one = await fetchAccessCounts(shards[0]!.address, { reset: false, timeoutMs: 5000 });
      assert.deepEqual([one.every, one.lookupCount, one.sampleCount], [1, 6, 6]);
      // More rows than go in one message.
      const { chunks, readCount } = one.partitions.get(3)!;
      assert.deepEqual([chunks.length, readCount], [2, 70_010]);

      const out = join(dir, "stats.json");
      const addresses = shards.flatMap(({ shardId, address }) => [
        "--shard",
        `${shardId}=${address}`,
      ]);
      const args = ["cluster", "stats", "--model", model.dir, "--out", out, ...addresses];
      const run = await runCli([...args, "--reset", "--json"]);
      assert.equal(run.exitCode, 0, run.stderr);
      const { header, countsOf } = await readAccessStats(out);
      assert.equal(header.source, "2 shards, every lookup counted");
      for (const table of ["t0", "t1"] as const) {
        const { rowIds, counts } = countsOf(table);
        const counted = new Map([...rowIds].map((row, i) => [row, counts[i]!]));
        assert.deepEqual(sorted(counted), sorted(expected[table]));
        const stats = header.tables.find((entry) => entry.table === table)!;
        assert.deepEqual(
          [stats.countErrorMax, stats.distinctRowError, stats.tailReadCount],
          [0, 0, 0],
        );
      }
      const again = await fetchAccessCounts(shards[0]!.address, { reset: false, timeoutMs: 5000 });
      assert.deepEqual([again.lookupCount, again.partitions.get(3)!.readCount], [0, 0]);

      const planned = await runCli([
        ...["plan", "make", "--model", model.dir, "--stats", out, "--shards", "1"],
        ...["--out", join(dir, "next-plan.json")],
      ]);
      assert.equal(planned.exitCode, 0, planned.stderr);

      const half = await runCli([
        "cluster",
        "stats",
        "--model",
        model.dir,
        "--out",
        out,
        "--shard",
        `other=${shards[0]!.address}`,
      ]);
      assert.equal(half.exitCode, 1);
      assert.match(half.stderr, /PLAN_MISMATCH.*other/);
    } finally {
      for (const shard of shards) await shard.close();
    }
  });
});

type Expected = Record<"t0" | "t1", Map<number, number>>;

async function lookUp(
  engine: RunningShard["engine"],
  rows: readonly ArrayLike<number>[],
  expected: Expected,
): Promise<void> {
  const find = (choice: PartitionChoice): number =>
    engine.partitions.findIndex(
      ({ stored }) =>
        stored.table === choice.table &&
        stored.rowStart === (choice.rowStart ?? 0) &&
        stored.columnStart === (choice.columnStart ?? 0),
    );
  const segments = rows.map((values, i) => ({
    partition: find(CHOICES[i]!),
    lengths: Uint32Array.of(values.length),
    values: Uint32Array.from(values),
  }));
  await engine.lookup({ sampleCount: 1, segments });
  for (const [i, { table, rowStart = 0, columnStart = 0 }] of CHOICES.entries()) {
    if (columnStart > 0) continue;
    const counts = expected[table as "t0" | "t1"];
    for (const row of Array.from(rows[i]!)) {
      counts.set(rowStart + row, (counts.get(rowStart + row) ?? 0) + 1);
    }
  }
}

function sorted(counts: ReadonlyMap<number, number>): (readonly [number, number])[] {
  return [...counts].sort(([a], [b]) => a - b);
}
