import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { interactionPairs } from "../../../../lib/model/dense-weights.js";
import { openModel } from "../../../../lib/model/model-directory.js";
import { referencePooled } from "../../../../lib/model/reference-pooled.js";
import { writeDenseOnnx } from "../../../../lib/onnx/dense-onnx-writer.js";
import { decodeOnnxModel, encodeOnnxModel } from "../../../../lib/onnx/onnx-proto.js";
import { int64Tensor } from "../../../../lib/onnx/onnx-tensor.js";
import { Random } from "../../../../lib/random.js";
import { createDenseSession } from "../../../../services/frontend/index.js";
import { verifyModel } from "../../../../tools/model/verify-model.js";
import { assertClose } from "../../../support/assert-close.js";
import { EXPORTED_FILE } from "../../../support/exported-model.js";
import { type GoldenVariant, readGoldenVariant } from "../../../support/golden-variant.js";
import {
  goldenState,
  goldenStateFile,
  importPlain,
  npyFile,
  writeStateFiles,
} from "../../../support/import-sources.js";
import { normalValues } from "../../../support/random-weights.js";
import { safetensorsFile } from "../../../support/safetensors-file.js";
import { tempFolder } from "../../../support/temp-folder.js";
import { type TestTensor, torchFile } from "../../../support/torch-file.js";

describe("importModel()", () => {
  const folder = tempFolder();
  let outCount = 0;
  const newOut = (): string => join(folder, `out-${outCount++}`);

  for (const interaction of ["dot", "cat"] as const) {
    it(`gives PyTorch's recorded answers of the ${interaction} variant`, async () => {
      const out = newOut();

      const imported = await importPlain(goldenStateFile(interaction), out);

      assert.equal(imported.manifest.interaction, interaction);
      await assertAnswers(out, await readGoldenVariant(interaction));
      await verifyModel(out);
    });
  }

  it("makes the same model of every kind of state dict", async () => {
    const files = writeStateFiles(folder, await goldenState("dot"));
    const expected = await importPlain(goldenStateFile("dot"), newOut());

    for (const from of Object.values(files)) {
      const { hash } = await importPlain(from, newOut());
      assert.equal(hash, expected.hash, from);
    }
  });

  it("reads TorchRec's names, its nested layers and its order of dot products", async () => {
    const golden = await readGoldenVariant("dot");
    const out = newOut();
    writeFileSync(join(folder, "rec.pt"), torchFile(torchRecState(await goldenState("dot"), 4, 8)));

    const { manifest } = await importPlain(join(folder, "rec.pt"), out);

    assert.deepEqual(
      manifest.features.map(({ table }) => table),
      ["t_cat_0", "t_cat_1", "t_cat_2", "t_cat_10"],
    );
    await assertAnswers(out, golden);
  });

  it("crosses as TorchRec's LowRankCrossNet does", async () => {
    const out = newOut();
    const state = crossState(await goldenState("cat"));
    writeFileSync(join(folder, "dcn.pt"), torchFile(state));

    const { manifest, golden } = await importPlain(join(folder, "dcn.pt"), out);

    assert.equal(manifest.interaction, "dcnv2");
    assert.ok(golden.probabilityDifferenceMax! <= 1e-6);
    await verifyModel(out);
  });

  it("refuses a cross network that is not of low rank, by name", async () => {
    const state = crossState(await goldenState("cat"));
    state.set("inter_arch.crossnet.U_kernels.0", { shape: [1], values: Float32Array.of(1) });
    writeFileSync(join(folder, "mixture.pt"), torchFile(state));

    await assert.rejects(importPlain(join(folder, "mixture.pt"), newOut()), {
      code: "MODEL_INVALID",
      message: /U_kernels/,
    });
  });

  it("lets several features share a table, in the order named", async () => {
    const golden = await readGoldenVariant("dot");
    const feature = [0, 1, 2, 3].map((i) => `f${i}=table_${i}`);

    const out = newOut();
    const { manifest } = await importPlain(goldenStateFile("dot"), out, { feature });

    assert.deepEqual(
      manifest.features.map(({ name }) => name),
      ["f0", "f1", "f2", "f3"],
    );
    await assertAnswers(out, golden);
    await assert.rejects(
      importPlain(goldenStateFile("dot"), newOut(), { feature: feature.slice(1) }),
      { code: "MODEL_INVALID", message: /table_0/ },
    );
  });

  it("refuses tables whose order nothing tells", async () => {
    const state = torchRecState(await goldenState("dot"), 4, 8);
    const renamed = new Map(
      [...state].map(([name, tensor]) => [name.replace("t_cat_10", "country"), tensor]),
    );
    writeFileSync(join(folder, "lost.safetensors"), safetensorsFile(renamed));

    await assert.rejects(importPlain(join(folder, "lost.safetensors"), newOut()), {
      code: "MODEL_INVALID",
      message: /--feature/,
    });
  });

  it("adopts a dense part that was exported alone, pooled vectors as [B, F, E]", async () => {
    const golden = await readGoldenVariant("dot");
    const state = await goldenState("dot");
    const tables = join(folder, "tables");
    mkdirSync(tables);
    for (const [name, { shape, values }] of state) {
      const number = /^emb_l\.(\d+)/.exec(name)?.[1];
      if (number === undefined) continue;
      writeFileSync(join(tables, `table_${number}.npy`), npyFile("<f4", shape, values));
    }
    writeFileSync(join(folder, "half.onnx"), halfModel(golden));
    const out = newOut();

    const { manifest } = await importPlain(join(folder, "half.onnx"), out, { tables });

    assert.equal(manifest.interaction, "imported");
    await assertAnswers(out, golden);
    await verifyModel(out);
  });

  it("takes tables and dense weights from a file of external data beside the graph", async () => {
    const beside = join(folder, "beside");
    mkdirSync(beside);
    const path = join(beside, "model.onnx");
    const { graph, data } = withExternalData(readFileSync(EXPORTED_FILE));
    writeFileSync(path, graph);
    writeFileSync(join(beside, "weights.bin"), data);
    const out = newOut();

    const { golden } = await importPlain(path, out);

    const expected = await importPlain(EXPORTED_FILE, newOut());
    assert.deepEqual(golden.golden.probability, expected.golden.golden.probability);
    await verifyModel(out);
  });

  it("folds learned weights of rows into the rows", async () => {
    const state = await goldenState("dot");
    const random = new Random(1, "row weights");
    const weights = normalValues(50, 1, random);
    const scaled = new Map(state);
    const rows = state.get("emb_l.0.weight")!;
    scaled.set("emb_l.0.weight", {
      ...rows,
      values: rows.values.map((value, i) => value * weights[Math.floor(i / 8)]!),
    });
    const weighted = new Map([...state, ["v_W_l.0", { shape: [50], values: weights }] as const]);
    writeFileSync(join(folder, "scaled.pt"), torchFile(scaled));
    writeFileSync(join(folder, "weighted.pt"), torchFile(weighted));

    const expected = await importPlain(join(folder, "scaled.pt"), newOut());
    const { hash } = await importPlain(join(folder, "weighted.pt"), newOut());

    assert.equal(hash, expected.hash);
  });

  it("clamps probabilities with a loss threshold", async () => {
    const out = newOut();

    await importPlain(goldenStateFile("dot"), out, { lossThreshold: 0.3 });

    const { probability } = await (await openModel(out)).readGolden();
    assert.ok(probability.every((value) => value >= Math.fround(0.3) && value <= Math.fround(0.7)));
  });

  for (const dtype of ["float16", "int8", "int4"] as const) {
    it(`says what ${dtype} rows change in the answers`, async () => {
      const { quantisation } = await importPlain(goldenStateFile("dot"), newOut(), { dtype });

      assert.ok(quantisation!.probabilityMax > 0);
      assert.ok(quantisation!.probabilityMax < 0.2);
      assert.ok(quantisation!.probabilityMean <= quantisation!.probabilityMax);
    });
  }
});

/** Pools and answers a variant's samples from an imported model, against what PyTorch said. */
async function assertAnswers(dir: string, golden: GoldenVariant): Promise<void> {
  const model = await openModel(dir);
  const { pooled } = referencePooled(model, golden.batch);
  const session = await createDenseSession(model.densePath, { threadCount: 1 });
  const { probability } = await session.run(golden.dense, pooled, golden.batch.sampleCount);
  await session.close();
  assertClose(pooled, golden.pooled, 1e-6);
  assertClose(probability, golden.probability, 1e-6);
}

/** A reference state under TorchRec's names, its top MLP reading the upper triangle's products. */
function torchRecState(
  state: ReadonlyMap<string, TestTensor>,
  featureCount: number,
  dim: number,
): Map<string, TestTensor> {
  const tableNames = ["t_cat_0", "t_cat_1", "t_cat_2", "t_cat_10"];
  const names = new Map([
    ...tableNames.map(
      (name, i) =>
        [
          `emb_l.${i}.weight`,
          `model.sparse_arch.embedding_bag_collection.embedding_bags.${name}.weight`,
        ] as const,
    ),
    ["bot_l.0", "model.dense_arch.model._mlp.0._linear"],
    ["bot_l.2", "model.dense_arch.model._mlp.1._linear"],
    ["top_l.0", "model.over_arch.model.0._mlp.0._linear"],
    ["top_l.2", "model.over_arch.model.1"],
  ]);
  const renamed = new Map<string, TestTensor>();
  for (const [name, tensor] of state) {
    const [, layer, part] = /^((?:bot|top)_l\.\d+)\.(.*)$/.exec(name) ?? [];
    const to = layer === undefined ? names.get(name)! : `${names.get(layer)}.${part}`;
    renamed.set(to, name === "top_l.0.weight" ? toUpper(tensor, featureCount, dim) : tensor);
  }
  return renamed;
}

/** Moves each column to where torch.triu_indices(F + 1, F + 1, offset=1) has its pair. */
function toUpper({ shape, values }: TestTensor, featureCount: number, dim: number): TestTensor {
  const upper: string[] = [];
  for (let i = 0; i <= featureCount; i++) {
    for (let j = i + 1; j <= featureCount; j++) upper.push(`${i},${j}`);
  }
  const moved = values.slice();
  const [rows, width] = shape as [number, number];
  for (const [position, [i, j]] of interactionPairs("dot", featureCount).entries()) {
    const to = upper.indexOf(`${j},${i}`);
    for (let row = 0; row < rows; row++) {
      moved[row * width + dim + to] = values[row * width + dim + position]!;
    }
  }
  return { shape, values: moved };
}

/** The cat variant with two cross layers between its parts, under TorchRec's names. */
function crossState(state: ReadonlyMap<string, TestTensor>): Map<string, TestTensor> {
  const width = 5 * 8;
  const rank = 3;
  const random = new Random(9, "cross");
  const renamed = torchRecState(state, 0, 0);
  for (let layer = 0; layer < 2; layer++) {
    const add = (part: string, shape: readonly number[]): void => {
      const length = shape.reduce((product, n) => product * n, 1);
      renamed.set(`model.inter_arch.crossnet.${part}.${layer}`, {
        shape,
        values: normalValues(length, 0.1, random),
      });
    };
    add("W_kernels", [width, rank]);
    add("V_kernels", [rank, width]);
    add("bias", [width, 1]);
  }
  return renamed;
}

/** The same graph with every float tensor in a file beside it. */
function withExternalData(bytes: Uint8Array): { graph: Uint8Array; data: Buffer } {
  const model = decodeOnnxModel(bytes, "external");
  const parts: Buffer[] = [];
  let offset = 0;
  const initializer = model.graph.initializer.map((tensor) => {
    if (tensor.dataType !== 1) return tensor;
    const part = Buffer.from(tensor.rawData!);
    const entries = { location: "weights.bin", offset: `${offset}`, length: `${part.length}` };
    parts.push(part);
    offset += part.length;
    const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
    return { ...tensor, rawData: new Uint8Array(0), dataLocation: 1, externalData };
  });
  const graph = encodeOnnxModel({ ...model, graph: { ...model.graph, initializer } });
  return { graph, data: Buffer.concat(parts) };
}

/** A dense part as somebody else exports it: other names, and pooled vectors by feature. */
function halfModel(golden: GoldenVariant): Uint8Array {
  const model = decodeOnnxModel(writeDenseOnnx(golden.weights), "half");
  const { graph } = model;
  const float = (name: string, extents: readonly number[]) => {
    const dim = [{ dimParam: "batch" }, ...extents.map((dimValue) => ({ dimValue }))];
    return { name, type: { tensorType: { elemType: 1, shape: { dim } } } };
  };
  const flat = {
    opType: "Reshape",
    name: "flatten",
    input: ["vectors", "flat.shape"],
    output: ["flat"],
    attribute: [],
  };
  const rename = new Map([
    ["pooled", "flat"],
    ["dense", "dense_x"],
    ["probability", "pred"],
  ]);
  const node = graph.node.map((one) => ({
    ...one,
    input: one.input.map((value) => rename.get(value) ?? value),
    output: one.output.map((value) => rename.get(value) ?? value),
  }));
  return encodeOnnxModel({
    ...model,
    metadataProps: [],
    graph: {
      ...graph,
      node: [flat, ...node],
      initializer: [...graph.initializer, int64Tensor("flat.shape", [2], [-1, 32])],
      input: [float("dense_x", [6]), float("vectors", [4, 8])],
      output: [float("pred", [1])],
    },
  });
}
