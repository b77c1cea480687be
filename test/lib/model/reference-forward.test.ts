import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { CrossLayer, DenseWeights, LinearLayer } from "../../../lib/model/dense-weights.js";
import { referenceForward } from "../../../lib/model/reference-forward.js";
import { writeDenseOnnx } from "../../../lib/onnx/dense-onnx-writer.js";
import { assertClose } from "../../support/assert-close.js";
import { readGoldenVariant } from "../../support/golden-variant.js";

describe("referenceForward()", () => {
  for (const interaction of ["dot", "cat"] as const) {
    it(`answers as PyTorch's DLRM with ${interaction} does`, async () => {
      const golden = await readGoldenVariant(interaction);

      const answer = referenceForward(golden.weights, golden.dense, golden.pooled, 32);

      assertClose(answer.probability, golden.probability, 1e-6);
      assertClose(answer.logit, golden.logit, 4e-6);
    });

    it(`and so does ONNX Runtime on the written ${interaction} graph`, async () => {
      const golden = await readGoldenVariant(interaction);
      const session = await InferenceSession.create(writeDenseOnnx(golden.weights));

      const { probability } = await session.run({
        dense: new Tensor("float32", golden.dense, [32, 6]),
        pooled: new Tensor("float32", golden.pooled, [32, 32]),
      });
      await session.release();

      assertClose(probability!.data as Float32Array, golden.probability, 1e-6);
    });
  }

  it("joins with the diagonal in the order (0,0), (1,0), (1,1), …", () => {
    const answer = referenceForward(PAIR_WEIGHTS, Float32Array.of(2), Float32Array.of(3, 5), 1);

    // Products of 2, 3 and 5: 2·2, 3·2, 3·3, 5·2, 5·3, 5·5, each with a weight of its own.
    const expected = 2 + 4 * 1e1 + 6 * 1e2 + 9 * 1e3 + 10 * 1e4 + 15 * 1e5 + 25 * 1e6;
    assert.deepEqual(answer.logit, Float32Array.of(expected));
  });

  it("crosses with what the first layer reads", () => {
    const weights: DenseWeights = {
      interaction: "dcnv2",
      embeddingDims: [1],
      bottomMlp: [layer([1], 1)],
      // x0 = (2, 3); V x = 2 + 10·3 = 32; W(V x) + b = (32 + 1, 64 + 1).
      crossLayers: [cross(), cross()],
      topMlp: [layer([1, 1000], 1)],
    };

    const answer = referenceForward(weights, Float32Array.of(2), Float32Array.of(3), 1);

    // Layer 1: (2·33 + 2, 3·65 + 3) = (68, 198). Layer 2: V x = 2048; (2·2049 + 68, 3·4097 + 198).
    assert.deepEqual(answer.logit, Float32Array.of(4166 + 1000 * 12489));
  });

  it("clamps probabilities to the loss threshold, not logits", () => {
    const weights: DenseWeights = { ...PAIR_WEIGHTS, lossThreshold: 0.25 };

    const high = referenceForward(weights, Float32Array.of(1), Float32Array.of(1, 1), 1);

    assert.deepEqual(high.probability, Float32Array.of(0.75));
    assert.deepEqual(high.logit, Float32Array.of(1111111));
  });

  it("gives nothing negative past a ReLU", () => {
    const negative: DenseWeights = { ...PAIR_WEIGHTS, bottomMlp: [layer([-1], 1)] };

    const answer = referenceForward(negative, Float32Array.of(2), Float32Array.of(3, 5), 1);

    // The bottom output is 0, so only 3·3, 5·3 and 5·5 are left.
    assert.deepEqual(answer.logit, Float32Array.of(9 * 1e3 + 15 * 1e5 + 25 * 1e6));
  });
});

function layer(weight: readonly number[], outputWidth: number): LinearLayer {
  return {
    inputWidth: weight.length / outputWidth,
    outputWidth,
    weight: Float32Array.from(weight),
    bias: new Float32Array(outputWidth),
  };
}

function cross(): CrossLayer {
  return {
    rank: 1,
    v: Float32Array.of(1, 10),
    w: Float32Array.of(1, 2),
    bias: Float32Array.of(1, 1),
  };
}

/** Two features of dim 1; the logit says how much of each product is in it. */
const PAIR_WEIGHTS: DenseWeights = {
  interaction: "dot-itself",
  embeddingDims: [1, 1],
  bottomMlp: [layer([1], 1)],
  topMlp: [layer([1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6], 1)],
};
