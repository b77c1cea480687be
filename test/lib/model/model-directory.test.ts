import assert from "node:assert/strict";
import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { hashFile } from "../../../lib/files.js";
import { DTYPES } from "../../../lib/model/dtype.js";
import { parseManifest } from "../../../lib/model/manifest.js";
import { openModel } from "../../../lib/model/model-directory.js";
import { type ModelDescription, writeModel } from "../../../lib/model/model-writer.js";
import { formatNpyHeader } from "../../../lib/npy/npy-header.js";
import {
  SMALL_DIM,
  SMALL_GOLDEN,
  SMALL_MODEL,
  smallValue,
  writeSmallModel,
  writeSmallTable,
} from "../../support/small-model.js";
import { tempFolder } from "../../support/temp-folder.js";

describe("writeModel() and openModel()", () => {
  const folder = tempFolder();
  const dir = join(folder, "model");

  it("give back the description, the hash and the golden requests", async () => {
    const written = await writeSmallModel(dir);

    const model = await openModel(dir);

    const { formatVersion, files, ...description } = model.manifest;
    assert.deepEqual(description, SMALL_MODEL);
    assert.equal(model.hash, written.hash);
    assert.deepEqual(await model.readGolden(), SMALL_GOLDEN);
  });

  it("state the hash and size of every file", async () => {
    const { manifest } = await writeSmallModel(dir);

    assert.equal(Object.keys(manifest.files).length, 2 + DTYPES.length);
    for (const [file, stated] of Object.entries(manifest.files)) {
      assert.deepEqual(await hashFile(join(dir, file)), stated);
    }
  });

  it("make the same hash from the same contents", async () => {
    const first = await writeSmallModel(dir);
    const second = await writeSmallModel(dir);

    assert.equal(second.hash, first.hash);
  });

  it("read rows of every dtype, repeated and the last", async () => {
    await writeSmallModel(dir);
    const model = await openModel(dir);

    for (const { name, rowCount } of SMALL_MODEL.tables) {
      const table = model.openTable(name);
      const out = new Float32Array(3 * SMALL_DIM);
      table.readRows(Int32Array.of(rowCount - 1, 0, rowCount - 1), out);
      table.close();

      const last = columns(rowCount - 1);
      assert.deepEqual([...out], [...last, ...columns(0), ...last], name);
    }
  });

  it("read runs of rows as they are stored", async () => {
    await writeSmallModel(dir);
    const table = (await openModel(dir)).openTable("float32");

    const bytes = new Uint8Array(2 * table.rowBytes);
    table.readRowBytes(3, 2, bytes);
    table.close();

    assert.deepEqual([...new Float32Array(bytes.buffer)], [...columns(3), ...columns(4)]);
  });
});

describe("writeModel()", () => {
  const folder = tempFolder();
  const dir = join(folder, "model");

  it("lets what has been written be read while the rest is written", async () => {
    await writeModel(dir, SMALL_MODEL, async (writer) => {
      for (const table of SMALL_MODEL.tables) await writeSmallTable(writer, table);
      const reader = writer.openTable("int8");
      const row = new Float32Array(SMALL_DIM);
      reader.readRows(Int32Array.of(2), row);
      reader.close();

      assert.deepEqual([...row], columns(2));
      await writer.writeDense(Uint8Array.of(1));
      await writer.writeGolden(SMALL_GOLDEN);
    });
  });

  it("leaves nothing when it fails in the middle of a table", async () => {
    const failing = writeModel(join(folder, "failed"), SMALL_MODEL, async (writer) => {
      await writer.createTable("float32");
      throw new TypeError("in the middle");
    });

    await assert.rejects(failing, TypeError);
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith("failed")),
      [],
    );
  });

  it("refuses a model whose files are not all written", async () => {
    const incomplete = writeModel(join(folder, "incomplete"), SMALL_MODEL, async (writer) => {
      for (const table of SMALL_MODEL.tables) await writeSmallTable(writer, table);
      await writer.writeDense(Uint8Array.of(1));
    });

    await assert.rejects(incomplete, { code: "MODEL_INVALID", message: /golden\.npz is missing/ });
    assert.equal(existsSync(join(folder, "incomplete")), false);
  });

  it("refuses a description that breaks a rule before anything is written", async () => {
    const feature = { ...SMALL_MODEL.features[0]!, table: "none" };
    const bad: ModelDescription = { ...SMALL_MODEL, features: [feature] };
    const neverCalled = async (): Promise<void> => assert.fail("fill was called");

    await assert.rejects(writeModel(join(folder, "bad"), bad, neverCalled), {
      code: "MODEL_INVALID",
      message: /no table none/,
    });
  });

  it("refuses a model without features", async () => {
    const bad: ModelDescription = { ...SMALL_MODEL, features: [] };

    await assert.rejects(writeSmallModel(join(folder, "bad"), bad), { code: "MODEL_INVALID" });
  });

  it("refuses to write one file twice", async () => {
    const twice = writeModel(dir, SMALL_MODEL, async (writer) => {
      await writer.writeDense(Uint8Array.of(1));
      await writer.writeDense(Uint8Array.of(1));
    });

    await assert.rejects(twice, RangeError);
  });

  it("refuses an existing directory when told to", async () => {
    await writeSmallModel(dir);

    await assert.rejects(
      writeModel(dir, SMALL_MODEL, async () => {}, { replace: false }),
      { code: "OUTPUT_EXISTS" },
    );
  });
});

describe("openModel()", () => {
  const folder = tempFolder();
  const dir = join(folder, "model");

  it("names a folder that is not there", async () => {
    await assert.rejects(openModel(join(folder, "none")), {
      code: "FILE_NOT_FOUND",
      message: /none\/model\.json/,
    });
  });

  it("names the table of a truncated file, the bytes found and those expected", async () => {
    await writeSmallModel(dir);
    truncateSync(join(dir, "tables/float32.npy"), 150);

    await assert.rejects(openModel(dir), {
      code: "FILE_CORRUPT",
      message: /tables\/float32\.npy has 150 bytes, the manifest says 208/,
    });
  });

  it("names a table file that is not there", async () => {
    await writeSmallModel(dir);
    rmSync(join(dir, "tables/int4.npy"));

    await assert.rejects(openModel(dir), { code: "FILE_NOT_FOUND", message: /int4\.npy/ });
  });

  it("refuses a table of another shape in the same number of bytes", async () => {
    await writeSmallModel(dir);
    const path = join(dir, "tables/float32.npy");
    const file = readFileSync(path);
    writeFileSync(path, Buffer.concat([formatNpyHeader("<f4", [10, 2]), file.subarray(128)]));

    await assert.rejects(openModel(dir), {
      code: "FILE_CORRUPT",
      message: /table float32 .* <f4 \[10, 2\], the manifest wants <f4 \[5, 4\]/,
    });
  });

  it("refuses a manifest that names files outside the model", async () => {
    const { manifest } = await writeSmallModel(dir);
    const files = { ...manifest.files, "../secret": manifest.files["dense.onnx"] };
    writeFileSync(join(dir, "model.json"), JSON.stringify({ ...manifest, files }));

    await assert.rejects(openModel(dir), { code: "MODEL_INVALID", message: /\.\.\/secret/ });
  });

  it("refuses a manifest that is not JSON", async () => {
    await writeSmallModel(dir);
    writeFileSync(join(dir, "model.json"), "{");

    await assert.rejects(openModel(dir), { code: "FILE_CORRUPT" });
  });

  it("treats an unknown table as a bug of the caller", async () => {
    await writeSmallModel(dir);
    const model = await openModel(dir);

    assert.throws(() => model.openTable("none"), RangeError);
  });
});

describe("parseManifest()", () => {
  it("refuses tables whose names would leave the folder", async () => {
    const { manifest } = await writeSmallModel(join(tempFolder(), "model"));
    for (const name of ["../a", "a/b", ".hidden", "", "a\0"]) {
      const tables = [{ ...manifest.tables[0]!, name }, ...manifest.tables.slice(1)];

      assert.throws(() => parseManifest({ ...manifest, tables }), { code: "MODEL_INVALID" });
    }
  });
});

function columns(row: number): number[] {
  return Array.from({ length: SMALL_DIM }, (_, column) => smallValue(row, column));
}
