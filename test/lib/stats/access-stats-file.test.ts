import assert from "node:assert/strict";
import { readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { tableFromIPC } from "apache-arrow";
import type { AccessStatsDraft } from "../../../lib/stats/access-stats.js";
import { readAccessStats, writeAccessStats } from "../../../lib/stats/access-stats-file.js";
import type { RowCounts } from "../../../lib/stats/counts-file.js";
import { tempFolder } from "../../support/temp-folder.js";

const folder = tempFolder();

/** Row i was read `count(i)` times, heaviest first. */
function countsOf(rowCount: number, count: (i: number) => number): RowCounts {
  return {
    rowIds: Int32Array.from({ length: rowCount }, (_, i) => i * 3),
    counts: Uint32Array.from({ length: rowCount }, (_, i) => count(i)),
  };
}

function headerOf(countsByTable: ReadonlyMap<string, RowCounts>): AccessStatsDraft {
  return {
    model: { name: "m", version: "1", hash: "h" },
    source: "test",
    sampleCount: 10,
    queryCount: 2,
    tables: [...countsByTable].map(([table, { counts }]) => ({
      table,
      readCount: counts.reduce((sum, count) => sum + count, 5),
      distinctRowCount: counts.length + 1,
      listedRowCount: counts.length,
      tailReadCount: 5,
      countErrorMax: 0,
      missRatioCurve: [{ rows: 1, missRatio: 0.5 }],
      missRatioError: null,
    })),
    features: [],
  };
}

async function writeStats(name: string): Promise<string> {
  const path = join(folder, `${name}.json`);
  const counts = new Map([
    ["small", countsOf(3, (i) => 30 - i)],
    ["untouched", countsOf(0, () => 0)],
    // Over one record batch.
    ["large", countsOf(70_000, (i) => 80_000 - i)],
  ]);
  await writeAccessStats(path, headerOf(counts), counts);
  return path;
}

describe("access statistics", () => {
  it("come back as written, table by table, heaviest first", async () => {
    const stats = await readAccessStats(await writeStats("whole"));

    assert.deepEqual(stats.countsOf("small"), {
      rowIds: Int32Array.of(0, 3, 6),
      counts: Uint32Array.of(30, 29, 28),
    });
    assert.equal(stats.countsOf("large").rowIds[69_999], 209_997);
    assert.equal(stats.countsOf("large").counts[69_999], 10_001);
    assert.equal(stats.countsOf("untouched").rowIds.length, 0);
    assert.equal(stats.header.counts.rowCount, 70_003);
  });

  it("keep counts in an Arrow file that another reader opens", async () => {
    const path = await writeStats("plain");

    const table = tableFromIPC(await readFile(path.replace(".json", ".arrow")));

    assert.equal(table.numRows, 70_003);
    assert.deepEqual(table.get(1)?.toJSON(), { table: "small", rowId: 3, count: 29 });
    assert.deepEqual(table.get(3)?.toJSON(), { table: "large", rowId: 0, count: 80_000 });
  });

  it("have a hash that follows the counts", async () => {
    const one = await readAccessStats(await writeStats("one"));
    const path = join(folder, "two.json");
    const counts = new Map([["small", countsOf(3, (i) => 31 - i)]]);
    await writeAccessStats(path, headerOf(counts), counts);

    const two = await readAccessStats(path);

    assert.notEqual(one.hash, two.hash);
    assert.equal(two.hash, (await readAccessStats(path)).hash);
  });

  it("refuse a table they do not have", async () => {
    const stats = await readAccessStats(await writeStats("unknown"));

    assert.throws(() => stats.countsOf("other"), { code: "STATS_INVALID", message: /other/ });
  });

  it("refuse counts from another run", async () => {
    const path = await writeStats("mixed");
    const other = await writeStats("mixed-other");
    const counts = new Map([["small", countsOf(3, () => 1)]]);
    await writeAccessStats(other, headerOf(counts), counts);
    await writeFile(
      path.replace(".json", ".arrow"),
      await readFile(join(folder, "mixed-other.arrow")),
    );

    await assert.rejects(readAccessStats(path), { code: "HASH_MISMATCH" });
  });

  it("refuse a truncated counts file and a missing one", async () => {
    const path = await writeStats("cut");
    await truncate(path.replace(".json", ".arrow"), 1000);

    await assert.rejects(readAccessStats(path), { code: "HASH_MISMATCH" });
    await assert.rejects(readAccessStats(join(folder, "none.json")), { code: "FILE_NOT_FOUND" });
  });

  it("refuse to be written when header and counts disagree", async () => {
    const counts = new Map([["small", countsOf(3, () => 7)]]);
    const header = headerOf(new Map([["small", countsOf(3, () => 8)]]));

    await assert.rejects(writeAccessStats(join(folder, "bad.json"), header, counts), {
      code: "STATS_INVALID",
      message: /table small says 3 listed rows and 29 reads, its counts are 3 rows, 21 reads/,
    });
  });

  it("of format version 1 are read, with what it lacked as not measured", async () => {
    const path = await writeStats("version-1");
    const { coAccess: _, ...header } = JSON.parse(await readFile(path, "utf8"));
    const tables = header.tables.map(({ table, readCount, ...rest }: Record<string, unknown>) => ({
      ...{ table, readCount },
      distinctRowCount: rest["distinctRowCount"],
      listedRowCount: rest["listedRowCount"],
      ...{ tailReadCount: 5, countErrorMax: 0, missRatioCurve: [], missRatioError: null },
    }));
    await writeFile(path, JSON.stringify({ ...header, tables, formatVersion: 1 }));

    const stats = await readAccessStats(path);

    const [small] = stats.header.tables;
    assert.equal(small?.unlistedCountMax, null);
    assert.equal(small?.missRatioMethod, "none");
    assert.equal(stats.header.coAccess, null);
  });

  it("want a .json name", async () => {
    await assert.rejects(writeAccessStats(join(folder, "stats"), headerOf(new Map()), new Map()), {
      code: "CONFIG_INVALID",
    });
  });
});
