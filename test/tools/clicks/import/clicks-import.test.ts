import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { type Model, openModel } from "../../../../lib/model/model-directory.js";
import type { ModelDescription } from "../../../../lib/model/model-writer.js";
import { type ClickBatch, readClickLog } from "../../../../tools/clicks/click-log.js";
import { readCriteo } from "../../../../tools/clicks/import/criteo.js";
import { readDlrmDatasets } from "../../../../tools/clicks/import/dlrm-datasets.js";
import { hashCategory, hashText } from "../../../../tools/clicks/import/hash-category.js";
import {
  type ImportClicksOptions,
  importClicks,
  importContextOf,
} from "../../../../tools/clicks/import/import-clicks.js";
import { type ParquetColumns, readParquet } from "../../../../tools/clicks/import/parquet.js";
import { runCli } from "../../../support/run-cli.js";
import { writeSmallModel } from "../../../support/small-model.js";
import { tempFolder } from "../../../support/temp-folder.js";
import { traceFile } from "../../../support/torch-file.js";

const OPTIONS: Omit<ImportClicksOptions, "out"> = {
  seed: 1,
  badLinesMax: 2,
  samplesMax: undefined,
};
const COLUMNS: ParquetColumns = {
  column: [],
  labelColumn: undefined,
  denseColumns: [],
  hash: false,
};

describe("hashCategory()", () => {
  it("gives the rows it has always given", () => {
    const rows = [0, 1, 0xdeadbeef, 0xffffffff].map((value) => hashCategory(value, 2, 1, 1000));

    assert.deepEqual(rows, [HASHED[0], HASHED[1], HASHED[2], HASHED[3]]);
    assert.equal(hashText("shardpool"), HASHED[4]);
  });

  it("spreads values evenly and apart by table", () => {
    const counts = new Uint32Array(10);
    let alike = 0;
    for (let value = 0; value < 10_000; value++) {
      counts[hashCategory(value, 0, 7, 10)]!++;
      if (hashCategory(value, 0, 7, 100) === hashCategory(value, 1, 7, 100)) alike++;
    }

    assert.ok(
      counts.every((count) => count > 850 && count < 1150),
      counts.join(),
    );
    assert.ok(alike > 50 && alike < 150, `${alike}`);
  });
});

describe("importClicks()", () => {
  const folder = tempFolder();
  let criteoModel: Model;
  let smallModel: Model;
  let outCount = 0;
  const newOut = (): string => join(folder, `clicks-${outCount++}.arrow`);

  before(async () => {
    const rowCounts = Array.from({ length: 26 }, (_, i) => 10 + i);
    criteoModel = await makeModel(join(folder, "criteo"), 13, rowCounts);
    smallModel = await makeModel(join(folder, "small"), 2, [50, 7]);
  });

  it("reads Criteo's TSV: logs of counts, hashed categories, missing ones as 0", async () => {
    const path = join(folder, "train.txt");
    writeFileSync(
      path,
      `${criteoLine()}\n${criteoLine({ I1: "", I2: "-3", C1: "", label: "0" })}\n`,
    );

    const { out, imported } = await importCriteo(path);

    const clicks = await readAll(out);
    assert.deepEqual([...clicks.labels.subarray(0, 2)], [1, 0]);
    assert.deepEqual(
      [...clicks.dense.subarray(0, 2)],
      [Math.fround(Math.log(2)), Math.fround(Math.log(3))],
    );
    assert.deepEqual([...clicks.dense.subarray(13, 15)], [0, 0]);
    assert.deepEqual(rowIdsOf(clicks, 0), [
      hashCategory(0xa1, 0, 1, 10),
      hashCategory(0, 0, 1, 10),
    ]);
    assert.equal(imported.rowIdCount, 52);
  });

  it("reads the CSV with its header, and gzip, to the same log", async () => {
    const tsv = join(folder, "same.txt");
    const csv = join(folder, "same.csv.gz");
    const header = ["Id", "Label", ...names("I", 13), ...names("C", 26)].join(",");
    const lines = [criteoLine(), criteoLine({ I3: "7" })];
    writeFileSync(tsv, lines.join("\n"));
    const rows = lines.map((line, i) => `${i},${line.replaceAll("\t", ",")}`);
    writeFileSync(csv, gzipSync([header, ...rows, ""].join("\r\n")));

    const a = await importCriteo(tsv);
    const b = await importCriteo(csv);

    assert.deepEqual(readFileSync(a.out), readFileSync(b.out));
  });

  it("counts, shows and leaves out bad lines, up to a limit", async () => {
    const path = join(folder, "bad.txt");
    const bad = ["", criteoLine({ C26: "xyz" })];
    writeFileSync(path, `${criteoLine()}\n${bad.join("\n")}\n${criteoLine()}\n`);

    const { imported } = await importCriteo(path);

    assert.equal(imported.sampleCount, 2);
    assert.deepEqual(imported.badLines, [
      { line: 2, reason: "1 fields, must be 40" },
      { line: 3, reason: 'C26 "xyz" is not hex' },
    ]);
    const out = newOut();
    await assert.rejects(importCriteo(path, { badLinesMax: 1 }, out), {
      code: "CLICKS_INVALID",
      message: /more than 1 bad lines .*line 2: .*line 3: /,
    });
    assert.ok(!existsSync(out));
  });

  it("refuses a log for another model, damaged gzip, a line without end, an empty file", async () => {
    const path = join(folder, "odd.txt");
    writeFileSync(path, criteoLine());
    await assert.rejects(importCriteo(path, {}, newOut(), smallModel), { code: "CLICKS_INVALID" });
    const packed = gzipSync(`${criteoLine()}\n`.repeat(1000));
    writeFileSync(path, packed.subarray(0, packed.length - 20));
    await assert.rejects(importCriteo(path), { code: "FILE_CORRUPT" });
    writeFileSync(path, "x".repeat(2 ** 21));
    await assert.rejects(importCriteo(path), { code: "CLICKS_INVALID", message: /bytes/ });
    writeFileSync(path, "");
    await assert.rejects(importCriteo(path), { code: "CLICKS_INVALID", message: /no sample/ });
    await assert.rejects(importCriteo(join(folder, "none.txt")), { code: "FILE_NOT_FOUND" });
  });

  it("reads Parquet: lists and single ids, nulls, text, a column by another name", async () => {
    const path = join(folder, "log.parquet");
    writeParquet(path, {
      clicked: [1, 0, 1],
      dense: [
        [0.5, 1],
        [2, 3],
        [4, 5],
      ],
      items: [[1, 49], [], [7]],
      feature_1: ["a", null, "b"],
    });
    const flags = { ...COLUMNS, labelColumn: "clicked", column: ["feature_0=items"] };

    const { out, imported } = await importParquet(path, flags);

    const clicks = await readAll(out);
    assert.deepEqual(imported.badLines, []);
    assert.deepEqual([...clicks.features[0]!.offsets], [0, 2, 2, 3]);
    assert.deepEqual(rowIdsOf(clicks, 0), [1, 49, 7]);
    const hashed = ["a", "b"].map((text) => hashCategory(hashText(text), 1, 1, 7));
    assert.deepEqual(rowIdsOf(clicks, 1), hashed);
    assert.deepEqual([...clicks.dense.subarray(0, 6)], [0.5, 1, 2, 3, 4, 5]);
  });

  it("takes integers of Parquet for row ids unless told to hash them", async () => {
    const path = join(folder, "ids.parquet");
    writeParquet(path, {
      label: [1, 0],
      I1: [1, 2],
      I2: [3, 4],
      C1: [3, 50],
      C2: [6, 6],
    });

    const { imported } = await importParquet(path, COLUMNS);
    const hashed = await importParquet(path, { ...COLUMNS, hash: true });

    assert.deepEqual(imported.badLines, [{ line: 2, reason: "C1 50 is no row of 50" }]);
    const clicks = await readAll(hashed.out);
    assert.equal(clicks.features[0]!.rowIds[1], hashCategory(50, 0, 1, 50));
  });

  it("names the columns that Parquet lacks, and refuses what is no Parquet", async () => {
    const path = join(folder, "lacks.parquet");
    writeParquet(path, { label: [1], dense: [[1, 2]], feature_0: [1] });
    await assert.rejects(importParquet(path, COLUMNS), {
      code: "CLICKS_INVALID",
      message: /no columns feature_1;.*--column/,
    });
    writeFileSync(path, "PAR1 but no more");
    await assert.rejects(importParquet(path, COLUMNS), { code: "FILE_CORRUPT" });
  });

  it("reads Meta's traces, packed or not, and folds ids the table has no row for", async () => {
    // Table 0: bags [1, 2], [], [60]; table 1: [3], [4, 5], [6].
    const bytes = traceFile({
      indices: [1, 2, 60, 3, 4, 5, 6],
      offsets: [0, 2, 2, 3, 4, 6, 7],
      lengths: [
        [2, 0, 1],
        [1, 2, 1],
      ],
    });
    const path = join(folder, "trace.pt.gz");
    writeFileSync(path, gzipSync(bytes));

    const { out } = await importTrace(path);

    const clicks = await readAll(out);
    assert.deepEqual([...clicks.features[0]!.offsets], [0, 2, 2, 3]);
    assert.deepEqual(rowIdsOf(clicks, 0), [1, 2, hashCategory(60, 0, 1, 50)]);
    assert.deepEqual(rowIdsOf(clicks, 1), [3, 4, 5, 6]);
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.includes("unpacked")),
      [],
    );
  });

  it("refuses traces that contradict themselves", async () => {
    const trace = { indices: [1, 2], offsets: [0, 1, 2], lengths: [[1], [1]] };
    const broken = [
      { ...trace, offsets: [0, 2, 1] },
      { ...trace, offsets: [0, 1, 9] },
      { ...trace, offsets: [0, 1] },
      { ...trace, lengths: [[1]], offsets: [0, 1] },
    ];
    for (const one of broken) {
      const path = join(folder, "broken.pt");
      writeFileSync(path, traceFile(one));
      await assert.rejects(importTrace(path), { code: "CLICKS_INVALID" });
    }
  });

  it("names the packed trace that cannot be read", async () => {
    const path = join(folder, "junk.pt.gz");
    writeFileSync(path, gzipSync("no archive"));

    await assert.rejects(importTrace(path), { code: "FILE_CORRUPT", message: /junk\.pt\.gz/ });
  });

  it("is a command whose logs the others read", async () => {
    const path = join(folder, "command.txt");
    writeFileSync(path, `${`${criteoLine()}\n`.repeat(300)}bad line\n`);
    const out = newOut();
    const modelDir = join(folder, "criteo");

    const done = await runCli([
      ...["clicks", "import", "--format", "criteo", "--from", path],
      ...["--model", modelDir, "--out", out],
    ]);
    const stats = await runCli([
      ...["clicks", "stats", "--model", modelDir, "--clicks", out],
      ...["--out", join(folder, "stats.json")],
    ]);

    assert.equal(done.exitCode, 0, done.stderr);
    assert.match(done.stdout, /300 samples in \d queries, 7,800 row ids, 100\.0 % clicks/);
    assert.match(done.stdout, /line 301: 1 fields, must be 40/);
    assert.equal(stats.exitCode, 0, stats.stderr);
  });

  async function importCriteo(
    path: string,
    options: Partial<ImportClicksOptions> = {},
    out = newOut(),
    model = criteoModel,
  ) {
    const entries = readCriteo(importContextOf(path, model, 1, () => {}));
    return { out, imported: await importClicks(entries, model, { ...OPTIONS, ...options, out }) };
  }

  async function importParquet(path: string, columns: ParquetColumns) {
    const out = newOut();
    const entries = readParquet(
      importContextOf(path, smallModel, 1, () => {}),
      columns,
    );
    return { out, imported: await importClicks(entries, smallModel, { ...OPTIONS, out }) };
  }

  async function importTrace(path: string) {
    const out = newOut();
    const context = importContextOf(path, smallModel, 1, () => {});
    const options = { traceTables: [], unpackedPath: `${out}.unpacked` };
    const entries = readDlrmDatasets(context, options);
    return { out, imported: await importClicks(entries, smallModel, { ...OPTIONS, out }) };
  }
});

/** Values of the hash, kept: a log imported again must have the same rows. */
const HASHED = [302, 712, 171, 533, 3407058537];

/** The one record batch of a short log. */
async function readAll(path: string): Promise<ClickBatch> {
  const batches: ClickBatch[] = [];
  for await (const batch of readClickLog(path)) batches.push(batch);
  assert.equal(batches.length, 1);
  return batches[0]!;
}

/** A feature's row ids; the column itself may be padded. */
function rowIdsOf({ features }: ClickBatch, feature: number): number[] {
  const { offsets, rowIds } = features[feature]!;
  return [...rowIds.subarray(offsets[0], offsets.at(-1))];
}

/** A model whose features `feature_0`, `feature_1`, … read a table each. */
async function makeModel(
  dir: string,
  denseFeatureCount: number,
  rowCounts: readonly number[],
): Promise<Model> {
  const description: ModelDescription = {
    ...{ name: "clicks", version: "1", denseFeatureCount, interaction: "dot", tolerance: 1e-6 },
    tables: rowCounts.map((rowCount, i) => ({
      ...({ name: `table_${i}`, rowCount, embeddingDim: 1, dtype: "float32" } as const),
    })),
    features: rowCounts.map((_, i) => ({
      ...({ name: `feature_${i}`, table: `table_${i}`, pooling: "sum" } as const),
      outOfRange: "error",
    })),
  };
  const featureCount = rowCounts.length;
  await writeSmallModel(dir, description, {
    sampleCount: 1,
    denseFeatures: new Float32Array(denseFeatureCount),
    batch: {
      ...{ featureCount, sampleCount: 1, lengths: new Int32Array(featureCount) },
      values: new Int32Array(0),
    },
    pooled: new Float32Array(featureCount),
    probability: new Float32Array(1),
  });
  return await openModel(dir);
}

function names(letter: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${letter}${i + 1}`);
}

/** Label 1, I1…I13 = 1…13, C1…C26 = a1…ba in hex, but for what is said. */
function criteoLine(fields: Readonly<Record<string, string>> = {}): string {
  return [
    fields["label"] ?? "1",
    ...names("I", 13).map((name, i) => fields[name] ?? String(i + 1)),
    ...names("C", 26).map((name, i) => fields[name] ?? (0xa1 + i).toString(16)),
  ].join("\t");
}

function writeParquet(path: string, columns: Readonly<Record<string, unknown[]>>): void {
  const columnData = Object.entries(columns).map(([name, data]) => ({ name, data }));
  writeFileSync(path, Buffer.from(parquetWriteBuffer({ columnData })));
}
