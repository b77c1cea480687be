import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type DenseWeights, INTERACTIONS } from "../../../lib/model/dense-weights.js";
import { readDenseWeights } from "../../../lib/onnx/dense-onnx-reader.js";
import { writeDenseOnnx } from "../../../lib/onnx/dense-onnx-writer.js";
import { decodeOnnxModel, encodeOnnxModel } from "../../../lib/onnx/onnx-proto.js";
import { type DenseShape, randomWeights } from "../../support/random-weights.js";

const SHAPE: DenseShape = {
  interaction: "dot",
  denseFeatureCount: 3,
  embeddingDims: [4, 4],
  bottomHidden: [5],
  topHidden: [6],
};

describe("readDenseWeights()", () => {
  for (const interaction of INTERACTIONS) {
    it(`gives back exactly the weights of a ${interaction} model`, () => {
      const weights = randomWeights({ ...SHAPE, interaction, lossThreshold: 0.0123 }, 11);

      assert.deepEqual(readDenseWeights(writeDenseOnnx(weights)), weights);
    });
  }

  it("reads bytes that start at any address", () => {
    const weights = randomWeights(SHAPE, 12);
    const bytes = writeDenseOnnx(weights);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);

    assert.deepEqual(readDenseWeights(shifted.subarray(1)), weights);
  });

  it("refuses a graph from elsewhere", () => {
    const model = decodeOnnxModel(writeDenseOnnx(randomWeights(SHAPE, 1)), "a");
    const foreign = encodeOnnxModel({ ...model, metadataProps: [] });

    assert.throws(() => readDenseWeights(foreign), { code: "FORMAT_UNSUPPORTED" });
  });

  it("refuses bytes that are no ONNX file", () => {
    assert.throws(() => readDenseWeights(Buffer.from("shardpool")), { code: "FILE_CORRUPT" });
    assert.throws(() => readDenseWeights(new Uint8Array(0)), { code: "FILE_CORRUPT" });
  });

  it("refuses a tensor with fewer elements than its shape says", () => {
    const broken = withInitializer("top.0.bias", (tensor) => ({
      ...tensor,
      rawData: tensor.rawData!.subarray(4),
    }));

    assert.throws(() => readDenseWeights(broken), {
      code: "FILE_CORRUPT",
      message: /top\.0\.bias/,
    });
  });

  it("refuses layers that do not follow each other", () => {
    const broken = withInitializer("top.1.weight", (tensor) => ({ ...tensor, dims: [2, 3] }));

    assert.throws(() => readDenseWeights(broken), { code: "MODEL_INVALID", message: /top\.1/ });
  });

  it("refuses a graph without one of its MLPs", () => {
    const weights: DenseWeights = randomWeights(SHAPE, 1);
    const model = decodeOnnxModel(writeDenseOnnx(weights), "a");
    const initializer = model.graph.initializer.filter(({ name }) => name !== "bottom.0.bias");
    const broken = encodeOnnxModel({ ...model, graph: { ...model.graph, initializer } });

    assert.throws(() => readDenseWeights(broken), { code: "MODEL_INVALID" });
  });
});

type Initializer = ReturnType<typeof decodeOnnxModel>["graph"]["initializer"][number];

/** A written graph with one of its constants changed. */
function withInitializer(name: string, change: (tensor: Initializer) => Initializer): Uint8Array {
  const model = decodeOnnxModel(writeDenseOnnx(randomWeights(SHAPE, 1)), "a");
  const initializer = model.graph.initializer.map((tensor) =>
    tensor.name === name ? change(tensor) : tensor,
  );
  return encodeOnnxModel({ ...model, graph: { ...model.graph, initializer } });
}
