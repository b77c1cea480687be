import assert from "node:assert/strict";
import { truncateSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  type DataType,
  Field,
  Int32,
  Int64,
  List,
  makeData,
  Schema,
  TimestampMillisecond,
  tableFromIPC,
  Uint8,
} from "apache-arrow";
import { writeArrowFile } from "../../../lib/arrow/arrow-file-writer.js";
import { hashManifest } from "../../../lib/model/manifest.js";
import {
  type ClickBatch,
  clickLogShapeOf,
  openClickLog,
  readClickLog,
  sliceClickBatch,
  writeClickLog,
} from "../../../tools/clicks/click-log.js";
import { testManifest } from "../../support/click-models.js";
import { tempFolder } from "../../support/temp-folder.js";

const folder = tempFolder();
const manifest = testManifest([{ rowCount: 100 }, { rowCount: 9 }]);
const model = { name: "test", version: "1", hash: hashManifest(manifest) };

/** Sample i has i % 3 ids in f0 (its first id is i) and one in f1. */
function batchOf(sampleCount: number): ClickBatch {
  const lengths = Array.from({ length: sampleCount }, (_, i) => i % 3);
  const offsets = Int32Array.from([0, ...lengths]);
  for (let i = 1; i <= sampleCount; i++) offsets[i]! += offsets[i - 1]!;
  return {
    sampleCount,
    queries: Int32Array.from(lengths, (_, i) => Math.floor(i / 4)),
    timestampsMs: Float64Array.from(lengths, (_, i) => 1_700_000_000_000 + i),
    labels: Uint8Array.from(lengths, (_, i) => i % 2),
    dense: Float32Array.from({ length: sampleCount * 2 }, (_, i) => i + 0.5),
    features: [
      { offsets, rowIds: Int32Array.from(lengths.flatMap((n, i) => [i % 100, 99].slice(0, n))) },
      {
        offsets: Int32Array.from({ length: sampleCount + 1 }, (_, i) => i),
        rowIds: Int32Array.from(lengths, (_, i) => i % 9),
      },
    ],
  };
}

async function writeLog(name: string, batch: ClickBatch): Promise<string> {
  const path = join(folder, name);
  await writeClickLog(
    path,
    clickLogShapeOf(manifest),
    { model, profile: "uniform", seed: 7 },
    (w) => w.write(batch),
  );
  return path;
}

async function readAll(path: string): Promise<ClickBatch[]> {
  const batches: ClickBatch[] = [];
  for await (const batch of readClickLog(path, { manifest })) batches.push(batch);
  return batches;
}

function bagOf(batch: ClickBatch, feature: number, sample: number): number[] {
  const column = batch.features[feature]!;
  return [...column.rowIds.subarray(column.offsets[sample], column.offsets[sample + 1])];
}

describe("click log", () => {
  it("gives back what was written, across record batches", async () => {
    const written = batchOf(5000);

    const read = await readAll(await writeLog("whole.arrow", written));

    assert.deepEqual(
      read.map((batch) => batch.sampleCount),
      [4096, 904],
    );
    const second = read[1]!;
    assert.equal(second.queries[0], 1024);
    assert.equal(second.timestampsMs[1], 1_700_000_004_097);
    assert.equal(second.labels[1], 1);
    assert.deepEqual([...second.dense.subarray(0, 2)], [8192.5, 8193.5]);
    assert.deepEqual(bagOf(second, 0, 1), bagOf(written, 0, 4097));
    assert.deepEqual(bagOf(second, 1, 903), [4999 % 9]);
  });

  it("writes a slice of a longer batch", async () => {
    const whole = batchOf(30);

    const [read] = await readAll(await writeLog("slice.arrow", sliceClickBatch(whole, 10, 20)));

    assert.equal(read?.sampleCount, 10);
    assert.deepEqual(bagOf(read!, 0, 1), bagOf(whole, 0, 11));
    assert.deepEqual([...read!.dense.subarray(0, 2)], [20.5, 21.5]);
  });

  it("is an Arrow file that another reader opens", async () => {
    const path = await writeLog("plain.arrow", batchOf(8));

    const table = tableFromIPC(await readFile(path));

    assert.equal(table.numRows, 8);
    assert.deepEqual(
      table.schema.fields.map((field) => `${field.name}: ${field.type}`),
      [
        "query: Int32",
        "timestampMs: Timestamp<MILLISECOND>",
        "label: Uint8",
        "dense: FixedSizeList[2]<Float32>",
        "f0: List<Int32>",
        "f1: List<Int32>",
      ],
    );
    assert.equal(table.schema.metadata.get("shardpool.model.hash"), model.hash);
  });

  it("reads its features as views, without a copy", async () => {
    const [batch] = await readAll(await writeLog("views.arrow", batchOf(4096)));

    assert.equal(batch!.features[0]!.rowIds.buffer, batch!.features[1]!.rowIds.buffer);
  });

  it("keeps the header", async () => {
    const log = await openClickLog(await writeLog("header.arrow", batchOf(1)));
    await log.close();

    assert.deepEqual(log.header, { model, profile: "uniform", seed: 7 });
  });

  it("gives features in the model's order", async () => {
    const path = join(folder, "order.arrow");
    const swapped = { ...clickLogShapeOf(manifest), featureNames: ["f1", "f0"] };
    await writeClickLog(path, swapped, {}, (writer) => writer.write(batchOf(3)));

    const [batch] = await readAll(path);

    assert.deepEqual(bagOf(batch!, 0, 2), [2]);
    assert.deepEqual(bagOf(batch!, 1, 2), [2, 99]);
  });

  it("keeps weights beside their row ids", async () => {
    const path = join(folder, "weights.arrow");
    const batch = batchOf(6);
    const weighted = {
      ...batch,
      features: batch.features.map((column) => ({
        ...column,
        weights: Float32Array.from(column.rowIds, (id) => id + 0.25),
      })),
    };
    await writeClickLog(path, { ...clickLogShapeOf(manifest), isWeighted: true }, {}, (writer) =>
      writer.write(weighted),
    );

    const [read] = await readAll(path);

    assert.deepEqual(read!.features[0]!.weights, weighted.features[0]!.weights);
  });

  it("refuses a log for other features, with both sides' names", async () => {
    const path = await writeLog("other.arrow", batchOf(2));
    const other = testManifest([{ rowCount: 100 }, { rowCount: 9 }, { rowCount: 5 }], 3);

    await assert.rejects(openClickLog(path, { manifest: other }), {
      code: "CLICKS_INVALID",
      message: /no column for feature f2.*2 dense features, the model has 3/,
    });
  });

  it("refuses a log made for a model with another hash, unless told", async () => {
    const path = await writeLog("hash.arrow", batchOf(2));
    const other = testManifest([{ rowCount: 101 }, { rowCount: 9 }]);

    await assert.rejects(openClickLog(path, { manifest: other }), { code: "CLICKS_INVALID" });
    const log = await openClickLog(path, { manifest: other, acceptOtherHash: true });
    await log.close();
  });

  it("refuses a truncated file", async () => {
    const path = await writeLog("cut.arrow", batchOf(5000));
    truncateSync(path, 30_000);

    await assert.rejects(openClickLog(path), { code: "FILE_CORRUPT" });
  });

  it("refuses a file that is something else, and one that is not there", async () => {
    const path = join(folder, "text.arrow");
    writeFileSync(path, "query,label\n1,0\n".repeat(9));

    await assert.rejects(openClickLog(path), { code: "FILE_CORRUPT" });
    await assert.rejects(openClickLog(join(folder, "none.arrow")), { code: "FILE_NOT_FOUND" });
  });

  it("refuses an Arrow file that is no click log", async () => {
    const path = join(folder, "foreign.arrow");
    const schema = new Schema([new Field("x", new Int32(), false)]);
    await writeArrowFile(path, schema, async () => {});

    await assert.rejects(openClickLog(path), { code: "CLICKS_INVALID", message: /it has x/ });
  });

  it("leaves nothing behind when the writer fails", async () => {
    const path = join(folder, "failed.arrow");
    const failed = writeClickLog(path, clickLogShapeOf(manifest), {}, async (writer) => {
      await writer.write(batchOf(10));
      throw new RangeError("stop");
    });

    await assert.rejects(failed, RangeError);
    await assert.rejects(readFile(path), { code: "ENOENT" });
  });
});

describe("click log with int64 row ids", () => {
  it("reads them as int32", async () => {
    const path = await writeWideLog("wide.arrow", [5n, 2_147_483_647n, 0n]);

    for await (const batch of readClickLog(path)) {
      assert.deepEqual([...batch.features[0]!.rowIds], [5, 2_147_483_647, 0]);
      assert.deepEqual([...batch.features[0]!.offsets], [0, 1, 3]);
    }
  });

  for (const value of [-1n, 2_147_483_648n, 4_294_967_296n]) {
    it(`refuses ${value}`, async () => {
      const path = await writeWideLog(`wide-${value}.arrow`, [5n, value, 0n]);
      const batches = readClickLog(path);

      await assert.rejects(batches.next(), {
        code: "CLICKS_INVALID",
        message: /column f0 holds a value outside 0 to 2147483647/,
      });
    });
  }
});

/** Two samples with one and two ids. */
async function writeWideLog(name: string, ids: readonly bigint[]): Promise<string> {
  const path = join(folder, name);
  const column = (title: string, type: DataType): Field => new Field(title, type, false);
  const item = column("item", new Int64());
  const types = [new Int32(), new TimestampMillisecond(), new Uint8(), new List(item)] as const;
  const names = ["query", "timestampMs", "label", "f0"];
  const schema = new Schema(types.map((type, i) => column(names[i]!, type)));
  await writeArrowFile(path, schema, (writer) =>
    writer.write(2, [
      makeData({ type: types[0], length: 2, data: new Int32Array(2) }),
      makeData({ type: types[1], length: 2, data: new BigInt64Array(2) }),
      makeData({ type: types[2], length: 2, data: new Uint8Array(2) }),
      makeData({
        type: types[3],
        length: 2,
        valueOffsets: Int32Array.of(0, 1, 3),
        child: makeData({ type: new Int64(), length: 3, data: BigInt64Array.from(ids) }),
      }),
    ]),
  );
  return path;
}
