import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { rowBytesOf } from "../../../lib/model/dtype.js";
import { type Model, openModel } from "../../../lib/model/model-directory.js";
import { encodeRows } from "../../../lib/model/row-codec.js";
import {
  type QuantiseOptions,
  quantiseModel,
} from "../../../tools/model/quantise/quantise-model.js";
import { verifyModel } from "../../../tools/model/verify-model.js";
import { readGoldenVariant } from "../../support/golden-variant.js";
import { runCli } from "../../support/run-cli.js";
import { decodedTable } from "../../support/shard-model.js";
import { tempFolder } from "../../support/temp-folder.js";
import { writeTestModel } from "../../support/write-test-model.js";

describe("quantiseModel()", () => {
  for (const dtype of ["float16", "int8", "int4"] as const) {
    it(`makes a whole new model of ${dtype} rows, each row for itself`, async () => {
      const dir = tempFolder();
      const source = await writeGoldenModel(join(dir, "model"));

      const made = await quantise({ modelDir: source.dir, dtype, out: join(dir, "small") });

      const { model } = await verifyModel(join(dir, "small"));
      assert.equal(model.manifest.name, `test-${dtype}`);
      assert.equal(model.hash, made.hash);
      assert.notEqual(model.hash, source.hash);
      for (const { name, rowCount, embeddingDim } of source.manifest.tables) {
        const expected = new Uint8Array(rowCount * rowBytesOf(dtype, embeddingDim));
        encodeRows(dtype, embeddingDim, decodedTable(source, name), expected);
        assert.deepEqual(storedRows(model, name), expected);
      }
      const bytesOf = ({ tables }: Model["manifest"]): number =>
        tables.reduce((sum, t) => sum + t.rowCount * rowBytesOf(t.dtype, t.embeddingDim), 0);
      assert.equal(made.bytesBefore, bytesOf(source.manifest));
      assert.equal(made.bytesAfter, bytesOf(model.manifest));
    });
  }

  it("measures a loss that grows as bits go, on a model of the PyTorch reference", async () => {
    const dir = tempFolder();
    const source = await writeGoldenModel(join(dir, "model"));
    const probabilities: number[] = [];
    for (const dtype of ["float16", "int8", "int4"] as const) {
      const { loss } = await quantise({ modelDir: source.dir, dtype, out: join(dir, dtype) });
      assert.equal(loss.source, "drawn requests");
      assert.equal(loss.auc, null);
      assert.ok(loss.logit!.max >= loss.logit!.mean && loss.logit!.mean > 0);
      assert.ok(loss.probability.max >= loss.probability.mean);
      probabilities.push(loss.probability.max);
    }

    const [float16, int8, int4] = probabilities as [number, number, number];
    assert.ok(0 < float16 && float16 < int8 && int8 < int4, probabilities.join(" < "));
    assert.ok(float16 < 0.01 && int8 < 0.1 && int4 < 0.5, probabilities.join(", "));
  });

  it("loses nothing of constant rows", async () => {
    const dir = tempFolder();
    const source = await writeGoldenModel(join(dir, "model"), (row) => row - 3);

    const { loss } = await quantise({
      modelDir: source.dir,
      dtype: "int4",
      out: join(dir, "small"),
    });

    assert.deepEqual(loss.probability, { max: 0, mean: 0 });
    const small = await openModel(join(dir, "small"));
    const { name } = small.manifest.tables[0]!;
    assert.deepEqual(decodedTable(small, name), decodedTable(source, name));
  });

  it("refuses a row no dtype can hold, names it and leaves nothing", async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const dir = tempFolder();
      const source = await writeGoldenModel(join(dir, "model"));
      const { name } = source.manifest.tables[1]!;
      await overwriteValue(source, name, 5, value);

      for (const dtype of ["float16", "int8", "int4"] as const) {
        await assert.rejects(quantise({ modelDir: source.dir, dtype, out: join(dir, "small") }), {
          code: "MODEL_INVALID",
          detail: new RegExp(`table ${name}: row 5 `),
        });
        assert.deepEqual(readdirSync(dir), ["model"]);
      }
    }
  });

  it("refuses a model that is quantised already, and to replace what is there", async () => {
    const dir = tempFolder();
    const source = await writeGoldenModel(join(dir, "model"));
    await quantise({ modelDir: source.dir, dtype: "int8", out: join(dir, "small") });

    await assert.rejects(
      quantise({ modelDir: join(dir, "small"), dtype: "int4", out: join(dir, "smaller") }),
      { code: "MODEL_INVALID", detail: /is int8 already/ },
    );
    await assert.rejects(
      quantise({ modelDir: source.dir, dtype: "int4", out: join(dir, "small") }),
      {
        code: "OUTPUT_EXISTS",
      },
    );
    assert.deepEqual(readdirSync(dir).toSorted(), ["model", "small"]);
  });
});

describe("shardpool model quantize", () => {
  it("measures the loss on a click log, and refuses another model's", async () => {
    const dir = tempFolder();
    const at = (name: string): string => join(dir, name);
    await run("model", "synth", "--preset", "tiny", "--out", at("model"));
    await run("model", "synth", "--preset", "tiny", "--seed", "2", "--out", at("other"));
    const draw = ["clicks", "synth", "--samples", "500", "--profile", "zipf:1.05"];
    await run(...draw, "--model", at("model"), "--out", at("clicks.arrow"));
    await run(...draw, "--model", at("other"), "--out", at("other.arrow"));

    const stdout = await run(
      ...["model", "quantize", at("model"), "--dtype", "int8", "--name", "small", "--json"],
      ...["--clicks", at("clicks.arrow"), "--out", at("small")],
    );

    const made = JSON.parse(stdout) as {
      name: string;
      hash: string;
      loss: { source: string; sampleCount: number; auc: Record<string, number> };
    };
    assert.equal(made.name, "small");
    assert.equal(made.hash, (await openModel(at("small"))).hash);
    assert.equal(made.loss.source, "clicks");
    assert.equal(made.loss.sampleCount, 500);
    const { before, after, change } = made.loss.auc;
    assert.ok(before! > 0.6 && before! < 1, `AUC ${before}`);
    assert.equal(change, after! - before!);
    assert.ok(Math.abs(change!) < 0.01);

    const { exitCode, stderr } = await runCli([
      ...["model", "quantize", at("model"), "--dtype", "int8"],
      ...["--clicks", at("other.arrow"), "--out", at("wrong")],
    ]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /CLICKS_INVALID/);
    assert.equal(existsSync(at("wrong")), false);
  });
});

async function run(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runCli(args);
  assert.equal(exitCode, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
}

function quantise(options: Pick<QuantiseOptions, "modelDir" | "dtype" | "out">) {
  const ignore = (): void => {};
  return quantiseModel({ ...options, onStart: ignore, onRows: ignore, onMeasure: ignore });
}

/** The small variant of the PyTorch reference as a model directory; rows may be made constant. */
async function writeGoldenModel(dir: string, constantOf?: (row: number) => number): Promise<Model> {
  const { weights, tables, dim, dense, batch } = await readGoldenVariant("dot");
  const rowsOf = (table: Float32Array): Float32Array =>
    constantOf === undefined ? table : table.map((_, i) => constantOf(Math.floor(i / dim)));
  return await writeTestModel(dir, {
    tables: tables.map((table, t) => ({
      ...{ name: `t${t}`, rowCount: table.length / dim, embeddingDim: dim, dtype: "float32" },
    })),
    features: tables.map((_, t) => ({
      ...{ name: `f${t}`, table: `t${t}`, pooling: "sum", outOfRange: "error" },
    })),
    rows: new Map(tables.map((table, t) => [`t${t}`, rowsOf(table)])),
    ...{ weights, dense, batch },
  });
}

function storedRows(model: Model, name: string): Uint8Array {
  const reader = model.openTable(name);
  try {
    const bytes = new Uint8Array(reader.table.rowCount * reader.rowBytes);
    reader.readRowBytes(0, reader.table.rowCount, bytes);
    return bytes;
  } finally {
    reader.close();
  }
}

/** Puts a value in a float32 table's file, as a writer of another program might. */
async function overwriteValue(
  model: Model,
  name: string,
  row: number,
  value: number,
): Promise<void> {
  const path = join(model.dir, "tables", `${name}.npy`);
  const file = await readFile(path);
  const { rowCount, embeddingDim } = model.manifest.tables.find((table) => table.name === name)!;
  const rowsStart = file.length - rowCount * embeddingDim * 4;
  file.writeFloatLE(value, rowsStart + (row * embeddingDim + 1) * 4);
  await writeFile(path, file);
}
