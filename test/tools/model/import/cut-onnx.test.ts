import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { InferenceSession, Tensor } from "onnxruntime-node";
import {
  decodeOnnxModel,
  encodeOnnxModel,
  type OnnxModel,
  type OnnxNode,
} from "../../../../lib/onnx/onnx-proto.js";
import { readFloats } from "../../../../lib/onnx/onnx-tensor.js";
import { PACKAGE_ROOT } from "../../../../lib/package-root.js";
import { Random } from "../../../../lib/random.js";
import { createDenseSession } from "../../../../services/frontend/index.js";
import { cutOnnx } from "../../../../tools/model/import/cut-onnx.js";
import { tempFolder } from "../../../support/temp-folder.js";

/** What PyTorch's exporter wrote for facebookresearch/dlrm, its tables cut down to a few rows. */
const EXPORTED_FILE = join(PACKAGE_ROOT, "test/golden/dlrm-exported.onnx");
const ROW_COUNTS = [50, 7, 300, 20, 20, 3, 40, 1];
const DIM = 32;
const SAMPLE_COUNT = 33;

function exportedModel(): OnnxModel {
  return decodeOnnxModel(readFileSync(EXPORTED_FILE), EXPORTED_FILE);
}

function withNodes(model: OnnxModel, node: readonly OnnxNode[]): OnnxModel {
  return { ...model, graph: { ...model.graph, node } };
}

/** Row ids of every feature, bags from empty to five ids. */
function randomBags(random: Random) {
  return ROW_COUNTS.map((rowCount) => {
    const lengths = Array.from({ length: SAMPLE_COUNT }, () => random.nextBelow(6));
    const ids = lengths.flatMap((length) =>
      Array.from({ length }, () => random.nextBelow(rowCount)),
    );
    return { lengths, ids };
  });
}

describe("cutOnnx()", () => {
  const folder = tempFolder();

  it("leaves a dense part that answers as the whole graph does", async () => {
    const model = exportedModel();
    const random = new Random(3, "cut");
    const bags = randomBags(random);
    const dense = Float32Array.from({ length: SAMPLE_COUNT * 13 }, () => random.nextNormal());
    const expected = await runWhole(dense, bags);

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
      ROW_COUNTS.map((rows, k) => [`emb_l.${k}.weight`, rows, `indices_${k}`, "sum"]),
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

type Bags = ReturnType<typeof randomBags>;

async function runWhole(dense: Float32Array, bags: Bags): Promise<Float32Array> {
  const session = await InferenceSession.create(EXPORTED_FILE, { logSeverityLevel: 3 });
  const offsets = bags.flatMap(({ lengths }) => {
    let end = 0;
    return lengths.map((length) => {
      end += length;
      return BigInt(end - length);
    });
  });
  const feeds: Record<string, Tensor> = {
    dense_x: new Tensor("float32", dense, [SAMPLE_COUNT, 13]),
    offsets: new Tensor("int64", BigInt64Array.from(offsets), [bags.length, SAMPLE_COUNT]),
  };
  for (const [k, { ids }] of bags.entries()) {
    const values = BigInt64Array.from(ids, (id) => BigInt(id));
    feeds[`indices_${k}`] = new Tensor("int64", values, [ids.length]);
  }
  const { pred } = await session.run(feeds);
  await session.release();
  return pred!.data as Float32Array;
}

function pool(tables: readonly Float32Array[], bags: Bags): Float32Array {
  const width = tables.length * DIM;
  const pooled = new Float32Array(SAMPLE_COUNT * width);
  for (const [k, { lengths, ids }] of bags.entries()) {
    let position = 0;
    for (let b = 0; b < SAMPLE_COUNT; b++) {
      const start = b * width + k * DIM;
      for (let i = 0; i < lengths[b]!; i++) {
        const row = ids[position++]! * DIM;
        for (let c = 0; c < DIM; c++) pooled[start + c]! += tables[k]![row + c]!;
      }
    }
  }
  return pooled;
}
