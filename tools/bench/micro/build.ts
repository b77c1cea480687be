import { rmSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { syncPath } from "../../../lib/files.js";
import { rowBytesOf } from "../../../lib/model/dtype.js";
import type { Model } from "../../../lib/model/model-directory.js";
import type { AccessStatsFile } from "../../../lib/stats/access-stats-file.js";
import { buildShardStore, openLookupEngine } from "../../../shards/index.js";
import { hasSameBits, rowDetails } from "./lookup/lookup-contender.js";
import { lookupModel } from "./lookup/lookup-model.js";
import { countBatches } from "./lookup/lookup-stats.js";
import { SHARD_ID, wholeTablesPlan } from "./lookup/lookup-store.js";
import { drawBatches, HOT_WORKLOAD, scaleWorkload } from "./lookup/lookup-workload.js";
import { loadDecodedTables } from "./lookup/plain-lookup.js";
import type { MicroBench, MicroContext } from "./micro-bench.js";
import { rateContender } from "./rate-contender.js";

/** 256 MB of rows in four tables. */
const BUILD_WORKLOAD = { ...HOT_WORKLOAD, tableCount: 4, rowCount: 250_000 };

/** Batches that the statistics are counted from. */
const COUNTED_BATCHES = 64;

/** `shard build`, on disk to its last byte, against SQLite alone. */
export const build: MicroBench = {
  name: "build",
  summary: "a store of 1 M rows x 64 float32, laid out by statistics or by row id: rows/s",
  run: runBuild,
};

async function runBuild(context: MicroContext): Promise<void> {
  const workload = scaleWorkload(BUILD_WORKLOAD, context.scale);
  const model = await lookupModel(workload, context);
  const lookups = drawBatches(workload, COUNTED_BATCHES, context.seed);
  const stats = await countBatches(model, lookups, context);
  const rowCount = workload.tableCount * workload.rowCount;
  for (const [name, laidOutBy] of [
    ["laid out by statistics", stats],
    ["in row-id order"],
  ] as const) {
    const out = join(context.runDir, "store.sqlite");
    context.note(`building a store ${name} and reading every row of it`);
    await buildStore(model, laidOutBy, out);
    const correct = await holdsEveryRow(model, out);
    const blocks = readBlocks(out);
    const bare = join(context.runDir, "bare.sqlite");
    await context.measure({
      case: name,
      unit: "rows/s",
      better: "higher",
      correct,
      subject: rateContender("shard build", async () => {
        rmSync(out, { force: true });
        await buildStore(model, laidOutBy, out);
        return rowCount;
      }),
      baseline: rateContender("better-sqlite3, the same blocks in one transaction", async () => {
        rmSync(bare, { force: true });
        await insertBlocks(bare, blocks);
        return rowCount;
      }),
      details: rowDetails(rowBytesOf(workload.dtype, workload.embeddingDim)),
    });
  }
}

async function buildStore(
  model: Model,
  stats: AccessStatsFile | undefined,
  out: string,
): Promise<void> {
  const plan = wholeTablesPlan(model, stats?.hash ?? null);
  const build = { modelDir: model.dir, plan, shardId: SHARD_ID, out };
  await buildShardStore({ ...build, ...(stats && { stats }) });
}

/** Whether every row comes back as the table has it, each as a bag of its own. */
async function holdsEveryRow(model: Model, storePath: string): Promise<boolean> {
  const engine = openLookupEngine({ storePath, limits: { sampleCountMax: 2 ** 31 } });
  try {
    for (const [partition, table] of loadDecodedTables(model).entries()) {
      const { embeddingDim, rowCount } = model.manifest.tables[partition]!;
      const step = 50_000;
      for (let start = 0; start < rowCount; start += step) {
        const count = Math.min(step, rowCount - start);
        const values = Uint32Array.from({ length: count }, (_, i) => start + i);
        const lengths = new Uint32Array(count).fill(1);
        const segments = [{ partition, lengths, values }];
        const { pooled } = await engine.lookup({ sampleCount: count, segments });
        const rows = table.subarray(start * embeddingDim, (start + count) * embeddingDim);
        if (!hasSameBits(pooled, rows)) return false;
      }
    }
    return true;
  } finally {
    engine.close();
  }
}

/** The blocks of a store as they lie in it. */
function readBlocks(storePath: string): Buffer[] {
  const db = new Database(storePath, { readonly: true });
  try {
    return db.prepare("SELECT bytes FROM blocks ORDER BY id").pluck().all() as Buffer[];
  } finally {
    db.close();
  }
}

async function insertBlocks(path: string, blocks: readonly Buffer[]): Promise<void> {
  const db = new Database(path);
  try {
    db.pragma("journal_mode = OFF");
    db.pragma("synchronous = OFF");
    db.exec("CREATE TABLE blocks (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)");
    const insert = db.prepare("INSERT INTO blocks (id, bytes) VALUES (?, ?)");
    db.transaction(() => {
      for (const [id, bytes] of blocks.entries()) insert.run(id, bytes);
    })();
  } finally {
    db.close();
  }
  await syncPath(path);
}
