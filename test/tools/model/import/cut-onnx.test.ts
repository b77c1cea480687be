import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  decodeOnnxModel,
  encodeOnnxModel,
  type OnnxModel,
  type OnnxNode,
} from "../../../../lib/onnx/onnx-proto.js";
import { readFloats } from "../../../../lib/onnx/onnx-tensor.js";
import { Random } from "../../../../lib/random.js";
import { createDenseSession } from "../../../../services/frontend/index.js";
import { cutOnnx } from "../../../../tools/model/import/cut-onnx.js";
import {
  EXPORTED_DIM,
  EXPORTED_FILE,
  EXPORTED_ROW_COUNTS,
  type ExportedBags,
  randomBags,
  runExported,
} from "../../../support/exported-model.js";
import { tempFolder } from "../../../support/temp-folder.js";

const SAMPLE_COUNT = 33;

function exportedModel(): OnnxModel {
  return decodeOnnxModel(readFileSync(EXPORTED_FILE), EXPORTED_FILE);
}

function withNodes(model: OnnxModel, node: readonly OnnxNode[]): OnnxModel {
  return { ...model, graph: { ...model.graph, node } };
}

describe("cutOnnx()", () => {
  const folder = tempFolder();

  it("leaves a dense part that answers as the whole graph does", async () => {
    const model = exportedModel();
    const random = new Random(3, "cut");
    const bags = randomBags(SAMPLE_COUNT, random);
    const dense = Float32Array.from({ length: SAMPLE_COUNT * 13 }, () => random.nextNormal());
    const expected = await runExported(dense, bags);

    const cut = cutOnnx(model, EXPORTED_FILE);
    const path = join(folder, "dense.onnx");
    writeFileSync(path, encodeOnnxModel(cut.dense));
    const session = await createDenseSession(path, { threadCount: 1 });
    const tables = cut.bags.map(({ table }) => readFloats(table, EXPORTED_FILE));
    const answer = await session.run(dense, pool(tables, bags), SAMPLE_COUNT);
    await session.close();

    assert.ok(answer.logit !== undefined);
    for (let i = 0; i < SAMPLE_COUNT; i++) {
      assert.ok(Math.abs(answer.probability[i]! - expected[i]!) <= 1e-6, `sample ${i}`);
    }
  });

  it("finds the tables in the order of the inputs, and the dense features", () => {
    const cut = cutOnnx(exportedModel(), EXPORTED_FILE);

    assert.deepEqual(
      cut.bags.map(({ table, idsInput, pooling }) => [
        table.name,
        table.dims[0],
        idsInput,
        pooling,
      ]),
      EXPORTED_ROW_COUNTS.map((rows, k) => [`emb_l.${k}.weight`, rows, `indices_${k}`, "sum"]),
    );
    assert.equal(cut.denseFeatureCount, 13);
  });

  it("keeps no table and no lookup in the dense part", () => {
    const { graph } = cutOnnx(exportedModel(), EXPORTED_FILE).dense;

    assert.deepEqual(
      graph.initializer.filter(({ name }) => name?.startsWith("emb_l")),
      [],
    );
    assert.deepEqual(
      graph.node.filter(({ opType }) => opType === "Loop"),
      [],
    );
  });

  it("takes a mean where the loop takes one", () => {
    const model = exportedModel();
    const toMean = (node: OnnxNode): OnnxNode => ({
      ...node,
      opType: node.opType === "ReduceSum" ? "ReduceMean" : node.opType,
      attribute: node.attribute.map((attribute) =>
        attribute.g === undefined
          ? attribute
          : { ...attribute, g: { ...attribute.g, node: attribute.g.node.map(toMean) } },
      ),
    });

    const cut = cutOnnx(withNodes(model, model.graph.node.map(toMean)), "mean.onnx");

    assert.deepEqual(new Set(cut.bags.map(({ pooling }) => pooling)), new Set(["mean"]));
  });

  it("names the node that reads a table in a way it does not know", () => {
    const model = exportedModel();
    const odd: OnnxNode = {
      opType: "Transpose",
      name: "tied_weights",
      input: ["emb_l.1.weight"],
      output: ["tied"],
      attribute: [],
    };

    assert.throws(() => cutOnnx(withNodes(model, [odd, ...model.graph.node]), "odd.onnx"), {
      code: "FORMAT_UNSUPPORTED",
      message: /odd\.onnx: Transpose node tied_weights reads table emb_l\.1\.weight/,
    });
  });

  it("names the node that still needs ids when the tables are gone", () => {
    const model = exportedModel();
    const [first] = model.graph.node;
    const shape: OnnxNode = {
      opType: "Shape",
      name: "count",
      input: ["indices_3"],
      output: ["ids_3_count"],
      attribute: [],
    };
    const nodes = [shape, { ...first!, input: [...first!.input, "ids_3_count"] }];

    assert.throws(
      () => cutOnnx(withNodes(model, [...nodes, ...model.graph.node.slice(1)]), "left.onnx"),
      { code: "FORMAT_UNSUPPORTED", message: /Shape node count still reads input indices_3/ },
    );
  });

  it("refuses a graph without tables, and an opset from before Slice took inputs", () => {
    const model = exportedModel();
    const noLoops = model.graph.node.filter(({ opType }) => opType !== "Loop");

    assert.throws(() => cutOnnx(withNodes(model, noLoops), "x"), { code: "FORMAT_UNSUPPORTED" });
    assert.throws(() => cutOnnx({ ...model, opsetImport: [{ domain: "", version: 9 }] }, "x"), {
      code: "FORMAT_UNSUPPORTED",
    });
  });
});

function pool(tables: readonly Float32Array[], bags: readonly ExportedBags[]): Float32Array {
  const width = tables.length * EXPORTED_DIM;
  const pooled = new Float32Array(SAMPLE_COUNT * width);
  for (const [k, { lengths, ids }] of bags.entries()) {
    let position = 0;
    for (let b = 0; b < SAMPLE_COUNT; b++) {
      const start = b * width + k * EXPORTED_DIM;
      for (let i = 0; i < lengths[b]!; i++) {
        const row = ids[position++]! * EXPORTED_DIM;
        for (let c = 0; c < EXPORTED_DIM; c++) pooled[start + c]! += tables[k]![row + c]!;
      }
    }
  }
  return pooled;
}
