import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { hashFile } from "../../../lib/files.js";
import { PACKAGE_ROOT } from "../../../lib/package-root.js";
import { Random } from "../../../lib/random.js";
import {
  type AccessStatsFile,
  readAccessStats,
  writeAccessStats,
} from "../../../lib/stats/access-stats-file.js";
import { mergeAccessStats } from "../../../lib/stats/merge-access-stats.js";
import { missRatioAt } from "../../../lib/stats/miss-ratio-curve.js";
import {
  type BagColumn,
  type ClickBatch,
  clickLogShapeOf,
  sliceClickBatch,
  writeClickLog,
} from "../../../tools/clicks/click-log.js";
import { type CollectOptions, collectStats } from "../../../tools/clicks/clicks-stats.js";
import { makeClickModel } from "../../support/click-models.js";
import { tempFolder } from "../../support/temp-folder.js";

const folder = tempFolder();
const ROW_COUNTS = [30, 5000];
const model = await makeClickModel(
  join(folder, "model"),
  ROW_COUNTS.map((rowCount) => ({ rowCount })),
);

/** Queries of 4 samples; bags of 0 to 5 skewed ids; table t0 is left out by every other query. */
function batchOf(sampleCount: number, seed: number): ClickBatch {
  const random = new Random(seed, "stats");
  const features = ROW_COUNTS.map((rowCount, f): BagColumn => {
    const offsets = new Int32Array(sampleCount + 1);
    const rowIds: number[] = [];
    for (let i = 0; i < sampleCount; i++) {
      const isLeftOut = f === 0 && Math.floor(i / 4) % 2 === 1;
      const length = isLeftOut ? 0 : random.nextBelow(6);
      for (let k = 0; k < length; k++) rowIds.push(Math.floor(rowCount * random.nextFloat() ** 4));
      offsets[i + 1] = rowIds.length;
    }
    return { offsets, rowIds: Int32Array.from(rowIds) };
  });
  return {
    sampleCount,
    queries: Int32Array.from({ length: sampleCount }, (_, i) => Math.floor(i / 4)),
    timestampsMs: new Float64Array(sampleCount),
    labels: new Uint8Array(sampleCount),
    dense: new Float32Array(sampleCount * 2),
    features,
  };
}

async function writeLog(name: string, batches: readonly ClickBatch[]): Promise<string> {
  const path = join(folder, `${name}.arrow`);
  await writeClickLog(path, clickLogShapeOf(model.manifest), {}, async (writer) => {
    for (const batch of batches) await writer.write(batch);
  });
  return path;
}

async function statsOf(
  name: string,
  batches: readonly ClickBatch[],
  options: Partial<CollectOptions> = {},
): Promise<AccessStatsFile> {
  const clicks = await writeLog(name, batches);
  const out = join(folder, `${name}-stats.json`);
  await collectStats({ model: model.dir, clicks, out, ...options });
  return await readAccessStats(out);
}

function countsByRow(stats: AccessStatsFile, table: string): Map<number, number> {
  const { rowIds, counts } = stats.countsOf(table);
  return new Map([...rowIds].map((rowId, i) => [rowId, counts[i]!]));
}

function trueCounts(batches: readonly ClickBatch[], f: number): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { features } of batches) {
    for (const rowId of features[f]!.rowIds) counts.set(rowId, (counts.get(rowId) ?? 0) + 1);
  }
  return counts;
}

async function shardpool(...args: string[]): Promise<{ stdout: string }> {
  return await promisify(execFile)(process.execPath, [
    join(PACKAGE_ROOT, "dist/tools/main.js"),
    ...args,
  ]);
}

const halves = [batchOf(6000, 1), batchOf(6000, 2)];

describe("clicks stats", () => {
  it("counts every row, bag and query", async () => {
    const stats = await statsOf("whole", [halves[0]!]);

    const { header } = stats;
    assert.deepEqual(countsByRow(stats, "t1"), trueCounts([halves[0]!], 1));
    assert.equal(header.sampleCount, 6000);
    assert.equal(header.queryCount, 1500);
    for (const [f, feature] of header.features.entries()) {
      const bags = feature.bagLengths.reduce((sum, bin) => sum + bin.bagCount, 0);
      const ids = feature.bagLengths.reduce((sum, bin) => sum + bin.bagCount * bin.lengthMin, 0);
      assert.equal(bags, 6000);
      assert.equal(ids, feature.readCount);
      assert.equal(feature.readCount, halves[0]!.features[f]!.rowIds.length);
      assert.equal(feature.bagLengths[0]?.bagCount, feature.emptyBagCount);
    }
    for (const table of header.tables) {
      assert.equal(table.reuse.at(-1)?.above, 1);
      const single = [...countsByRow(stats, table.table).values()].filter((n) => n === 1).length;
      assert.equal(table.reuse.at(-1)?.rowCount, table.distinctRowCount - single);
      assert.equal(table.staticMissRatioCurve.at(-1)?.missRatio, 0);
      const distinctShare = table.distinctRowCount / table.readCount;
      assert.ok(Math.abs(missRatioAt(table.missRatioCurve, 1e6) - distinctShare) < 1e-3);
    }
    assert.ok((header.tables[0]?.queryCount ?? 0) <= 750);
    assert.ok((header.tables[0]?.queryCount ?? 0) > 700);
  });

  it("counts the first queries of a log alone", async () => {
    const first = sliceClickBatch(halves[0]!, 0, 1000);

    const stats = await statsOf("first", [halves[0]!, halves[1]!], { queriesMax: 250 });

    assert.deepEqual(countsByRow(stats, "t1"), countsByRow(await statsOf("cut", [first]), "t1"));
    assert.equal(stats.header.queryCount, 250);
    assert.match(stats.header.source, /^first 250 queries of [0-9a-f]{64}$/);
  });

  it("refuses to write its counts over the log", async () => {
    const clicks = await writeLog("kept", [halves[0]!]);
    const { sha256 } = await hashFile(clicks);

    await assert.rejects(
      collectStats({ model: model.dir, clicks, out: join(folder, "kept.json") }),
      { code: "CONFIG_INVALID", message: /kept\.arrow, which is the click log/ },
    );
    assert.equal((await hashFile(clicks)).sha256, sha256);
  });

  it("counts heavy rows exactly when counters do not do, and bounds the others", async () => {
    const stats = await statsOf("sketched", halves, { exactRowsMax: 1000 });

    const truth = trueCounts(halves, 1);
    const found = countsByRow(stats, "t1");
    const table = stats.header.tables[1]!;
    const unlistedMax = table.unlistedCountMax ?? 0;
    assert.equal(table.countErrorMax, 0);
    assert.ok(unlistedMax > 0 && found.size < truth.size);
    for (const [rowId, count] of found) assert.equal(count, truth.get(rowId));
    for (const [rowId, count] of truth) {
      if (!found.has(rowId)) assert.ok(count <= unlistedMax, `row ${rowId}: ${count}`);
    }
    const error = Math.abs(table.distinctRowCount - truth.size) / truth.size;
    assert.ok(error <= table.distinctRowError, `${error}`);
    // The small table is within its share.
    assert.equal(stats.header.tables[0]?.listedRowCount, stats.header.tables[0]?.distinctRowCount);
  });

  it("of two logs merged are those of the whole", async () => {
    const whole = await statsOf("both", halves, { exactStackDistances: true });
    const parts = [
      await statsOf("first", [halves[0]!], { exactStackDistances: true }),
      await statsOf("second", [halves[1]!], { exactStackDistances: true }),
    ];

    const { draft, countsByTable } = mergeAccessStats(parts, "periods");
    const path = join(folder, "merged.json");
    await writeAccessStats(path, draft, countsByTable);
    const merged = await readAccessStats(path);

    for (const [t, table] of merged.header.tables.entries()) {
      const expected = whole.header.tables[t]!;
      const { missRatioCurve, missRatioError, missRatioMethod: _, ...counted } = table;
      const { missRatioCurve: exact, missRatioError: __, missRatioMethod: ___, ...rest } = expected;
      assert.deepEqual(counted, rest);
      assert.deepEqual(merged.countsOf(table.table), whole.countsOf(table.table));
      for (const { rows, missRatio } of missRatioCurve) {
        const error = Math.abs(missRatio - missRatioAt(exact, rows));
        assert.ok(error <= (missRatioError ?? 0) + 1e-3, `${table.table}, ${rows} rows: ${error}`);
      }
    }
    assert.deepEqual(merged.header.features, whole.header.features);
  });

  it("of two sketched logs merged are within the errors that are stated", async () => {
    const sketched = { exactRowsMax: 1000 };
    const parts = [
      await statsOf("sketch-a", [halves[0]!], sketched),
      await statsOf("sketch-b", [halves[1]!], sketched),
    ];

    const { draft, countsByTable } = mergeAccessStats(parts, "periods");

    const truth = trueCounts(halves, 1);
    const table = draft.tables[1]!;
    const { rowIds, counts } = countsByTable.get("t1")!;
    assert.ok(table.countErrorMax > 0);
    const listed = new Map([...rowIds].map((rowId, i) => [rowId, counts[i]!]));
    for (const [rowId, count] of truth) {
      const lacks = count - (listed.get(rowId) ?? 0);
      const limit = listed.has(rowId) ? table.countErrorMax : (table.unlistedCountMax ?? 0);
      assert.ok(lacks >= 0 && lacks <= limit, `row ${rowId} lacks ${lacks}`);
    }
    const listedReads = counts.reduce((sum, count) => sum + count, 0);
    assert.equal(listedReads + table.tailReadCount, table.readCount);
    const error = Math.abs(table.distinctRowCount - truth.size) / truth.size;
    assert.ok(error <= (table.distinctRowError ?? 0), `${error}`);
  });

  it("refuses a row that the table does not have", async () => {
    const batch = batchOf(8, 3);
    batch.features[0]!.rowIds[0] = 30;

    await assert.rejects(statsOf("beyond", [batch]), {
      code: "CLICKS_INVALID",
      message: /feature f0: row id 30, table t0 has 30 rows/,
    });
  });

  it("merges files and shows the result on the command line", async () => {
    await statsOf("cli-a", [halves[0]!]);
    await statsOf("cli-b", [halves[1]!]);
    const out = join(folder, "cli.json");

    const inputs = [join(folder, "cli-a-stats.json"), join(folder, "cli-b-stats.json")];
    await shardpool("clicks", "stats", "--merge", ...inputs, "--out", out);
    const shown = await shardpool("clicks", "inspect", out, "--model", model.dir);
    const json = JSON.parse((await shardpool("clicks", "inspect", out, "--json")).stdout);

    assert.match(shown.stdout, /12,000 samples, 3,000 queries/);
    assert.match(shown.stdout, /merged \+-/);
    assert.equal(json.header.sampleCount, 12_000);
    assert.equal(json.cacheNeeds.length, 4);
  });

  it("wants a log or files to merge, not both and not neither", async () => {
    await assert.rejects(shardpool("clicks", "stats", "--out", "x.json"), /--merge alone/);
  });
});
