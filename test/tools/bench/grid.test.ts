import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { hashFile } from "../../../lib/files.js";
import { hashManifest } from "../../../lib/model/manifest.js";
import { formatGrid } from "../../../tools/bench/grid/format-grid.js";
import { cellKey, type GridCell, type GridSide } from "../../../tools/bench/grid/grid-cell.js";
import { type GridOptions, parseGridOptions } from "../../../tools/bench/grid/grid-options.js";
import { mergeRuns, overheadOf } from "../../../tools/bench/grid/measure-cell.js";
import { cellNames, runGrid } from "../../../tools/bench/grid/run-grid.js";
import { renderGridPage } from "../../../tools/bench/page/grid-page.js";
import { tinyManifest, writeBenchLog } from "../../support/bench-log.js";
import { latencyResult } from "../../support/latency-result.js";
import { tempFolder } from "../../support/temp-folder.js";

const SIDE: GridSide = {
  queryCount: 100,
  failedCount: 0,
  latencyMs: { p50: 2, p90: 3, p99: 4, mean: 2.2 },
  cpuMs: 3,
  cpuMsByProcess: { frontend: 1, "shard-0": 2 },
  memoryPeakBytesByProcess: { frontend: 1e8, "shard-0": 2e8 },
  hitRatio: 0.9,
  stagesMs: null,
};

describe("bench grid", () => {
  it("takes overheads from each round's own two runs, so that a slower hour is none", () => {
    const side = (p50: number): GridSide => ({ ...SIDE, latencyMs: { ...SIDE.latencyMs, p50 } });

    // Twice the time of one process in each round; the machine is ten times slower in the second.
    const { overhead, p50RatioRange } = overheadOf(
      [side(4), side(40), side(5)],
      [side(2), side(20), side(2)],
    );

    assert.equal(overhead.p50, 2);
    assert.equal(overhead.cpu, 1);
    assert.deepEqual(p50RatioRange, { low: 2, high: 2.5 });
  });

  it("crosses strategies with shard counts, and needs one shard once", () => {
    const options = gridOptions({ strategies: "one-shard,load", shardCounts: "1,4,4" });

    assert.deepEqual(cellNames(options), [
      { strategy: "one-shard", shardCount: 1 },
      { strategy: "load", shardCount: 1 },
      { strategy: "load", shardCount: 4 },
    ]);
  });

  it("refuses options that cannot be, all at once", () => {
    assert.throws(() => gridOptions({ strategies: "best", shardCounts: "0", rounds: "-1" }), {
      code: "CONFIG_INVALID",
      message: /strategies.*shardCounts.*rounds/s,
    });
  });

  it("keeps finished cells of the same inputs, and shows them in table and page", async () => {
    const folder = tempFolder();
    const { options, keyOf } = await writeInputs(folder);
    keepCell(options, keyOf("load", 2), "load", 2);
    writeCell(options, {
      status: "refused",
      key: keyOf("group", 2),
      strategy: "group",
      shardCount: 2,
      reason: "[PLAN_DOES_NOT_FIT] group a",
    });
    const kept: boolean[] = [];

    const result = await runGrid(options, {
      signal: new AbortController().signal,
      onCell: (_name, _index, _count, isKept) => kept.push(isKept),
      onMeasured: () => {},
    });

    assert.deepEqual(kept, [true, true]);
    assert.match(formatGrid(result), /load +2 +1.500 +2.000 +3.000 +4.000 +1.25x/);
    assert.match(formatGrid(result), /group on 2: refused, \[PLAN_DOES_NOT_FIT\]/);
    const page = renderGridPage(result);
    assert.match(page, /<td>load<\/td>/);
    assert.match(page, /PLAN_DOES_NOT_FIT/);
    assert.doesNotMatch(page, /<script|<link/);
  });

  it("measures again what was kept with other options, or failed", async () => {
    const folder = tempFolder();
    const { options, keyOf } = await writeInputs(folder, { strategies: "load", seconds: "9" });
    keepCell(options, `${keyOf("load", 2).slice(1)}0`, "load", 2);
    const kept: boolean[] = [];

    // There are no tables to build stores from, so the cell fails, and is kept as that.
    const { cells } = await runGrid(options, {
      signal: new AbortController().signal,
      onCell: (_name, _index, _count, isKept) => kept.push(isKept),
      onMeasured: () => {},
    });

    assert.deepEqual(kept, [false]);
    assert.equal(cells[0]?.status, "failed");
    const file = join(options.out, "cells/load-2.json");
    assert.equal((JSON.parse(readFileSync(file, "utf8")) as GridCell).status, "failed");
  });
});

describe("mergeRuns()", () => {
  it("merges histograms and sums CPU time over queries, the client's left out", () => {
    const merged = mergeRuns([
      latencyResult(),
      latencyResult({ answeredCount: 50, queryCount: 50 }),
    ]);

    assert.equal(merged.queryCount, 152);
    assert.equal(merged.cpuMs, (0.75 * 2 * 1000) / 150);
    assert.deepEqual(Object.keys(merged.cpuMsByProcess), ["frontend", "shard-1"]);
    assert.equal(Math.round(merged.latencyMs.p50), 50);
    assert.equal(merged.hitRatio, 0.9);
  });
});

function gridOptions(changes: Readonly<Record<string, unknown>>): GridOptions {
  return parseGridOptions({
    ...{ model: "m", clicks: "c", stats: "s", out: "o", strategies: "load", shardCounts: "2" },
    ...{ cacheFraction: "1", seconds: "5", warmupSeconds: "2", rounds: "3", seed: "1" },
    ...changes,
  });
}

async function writeInputs(folder: string, changes: Readonly<Record<string, unknown>> = {}) {
  const { modelDir, clicksFile } = await writeBenchLog(folder);
  const stats = join(folder, "stats.json");
  writeFileSync(stats, "{}");
  const options = gridOptions({
    ...{ model: modelDir, clicks: clicksFile, stats, out: join(folder, "grid") },
    ...{ strategies: "load,group" },
    ...changes,
  });
  mkdirSync(join(options.out, "cells"), { recursive: true });
  const hashes = [
    hashManifest(tinyManifest()),
    (await hashFile(clicksFile)).sha256,
    (await hashFile(stats)).sha256,
  ];
  const keyOf = (strategy: string, shardCount: number): string =>
    cellKey({ strategy, shardCount }, options, hashes);
  return { options, keyOf };
}

function keepCell(options: GridOptions, key: string, strategy: string, shardCount: number): void {
  writeCell(options, {
    status: "measured",
    key,
    strategy,
    shardCount,
    shardsUsed: 2,
    partitionCount: 3,
    estimateUs: 1500,
    cluster: SIDE,
    single: SIDE,
    overhead: { p50: 1.25, p90: 1.3, p99: 1.4, cpu: 1.6 },
    p50RatioRange: { low: 1.2, high: 1.3 },
  });
}

function writeCell(options: GridOptions, cell: GridCell): void {
  const file = join(options.out, "cells", `${cell.strategy}-${cell.shardCount}.json`);
  writeFileSync(file, JSON.stringify(cell));
}
