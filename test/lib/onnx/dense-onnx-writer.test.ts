import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { type DenseWeights, INTERACTIONS, isDot } from "../../../lib/model/dense-weights.js";
import { referenceForward } from "../../../lib/model/reference-forward.js";
import { writeDenseOnnx } from "../../../lib/onnx/dense-onnx-writer.js";
import { Random } from "../../../lib/random.js";
import { assertClose } from "../../support/assert-close.js";
import { type DenseShape, normalValues, randomWeights } from "../../support/random-weights.js";

const PROBABILITY_ERROR_MAX = 1e-6;

const shapes: fc.Arbitrary<DenseShape> = fc
  .record({
    interaction: fc.constantFrom(...INTERACTIONS),
    denseFeatureCount: fc.integer({ min: 1, max: 20 }),
    embeddingDims: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 }),
    bottomHidden: fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 2 }),
    topHidden: fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 3 }),
    lossThreshold: fc.constantFrom(0, 0.01, 0.3),
  })
  .map((shape) =>
    !isDot(shape.interaction)
      ? shape
      : { ...shape, embeddingDims: shape.embeddingDims.map(() => shape.embeddingDims[0]!) },
  );

describe("writeDenseOnnx()", () => {
  it("makes a graph that answers as the reference does, for any shape and batch", async () => {
    await fc.assert(
      fc.asyncProperty(
        shapes,
        fc.integer({ min: 1, max: 200 }),
        fc.nat(),
        async (shape, sampleCount, seed) => {
          await assertAgrees(randomWeights(shape, seed), sampleCount, seed);
        },
      ),
      { numRuns: 60 },
    );
  });

  for (const interaction of INTERACTIONS) {
    it(`does so for ${interaction} at the size of a real model`, async () => {
      const weights = randomWeights({ ...REAL_SHAPE, interaction }, 7);

      for (const sampleCount of [1, 16, 200]) await assertAgrees(weights, sampleCount, sampleCount);
    });
  }

  it("gives the same bytes for the same weights", () => {
    const first = writeDenseOnnx(randomWeights(REAL_SHAPE, 3));
    const second = writeDenseOnnx(randomWeights(REAL_SHAPE, 3));

    assert.deepEqual(first, second);
  });

  it("refuses weights that do not fit together", () => {
    const weights = randomWeights(REAL_SHAPE, 1);
    const broken: DenseWeights = { ...weights, embeddingDims: [64, 64] };

    assert.throws(() => writeDenseOnnx(broken), RangeError);
  });
});

const REAL_SHAPE: DenseShape = {
  interaction: "dot",
  denseFeatureCount: 13,
  embeddingDims: Array.from({ length: 26 }, () => 64),
  bottomHidden: [512, 256],
  topHidden: [512, 256],
};

/** Compares ONNX Runtime on the written graph with the reference on random inputs. */
async function assertAgrees(weights: DenseWeights, sampleCount: number, seed: number) {
  const random = new Random(seed, "inputs");
  const denseWidth = weights.bottomMlp[0]!.inputWidth;
  const pooledWidth = weights.embeddingDims.reduce((sum, dim) => sum + dim, 0);
  const dense = normalValues(sampleCount * denseWidth, 1, random);
  const pooled = normalValues(sampleCount * pooledWidth, 0.3, random);

  const session = await InferenceSession.create(writeDenseOnnx(weights), {
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  const { probability, logit } = await session.run({
    dense: new Tensor("float32", dense, [sampleCount, denseWidth]),
    pooled: new Tensor("float32", pooled, [sampleCount, pooledWidth]),
  });
  const expected = referenceForward(weights, dense, pooled, sampleCount);
  await session.release();

  assert.deepEqual(probability!.dims, [sampleCount, 1]);
  assert.deepEqual(logit!.dims, [sampleCount, 1]);
  assertClose(probability!.data as Float32Array, expected.probability, PROBABILITY_ERROR_MAX);
  assertClose(logit!.data as Float32Array, expected.logit, (value) =>
    Math.max(4e-6, 1e-5 * Math.abs(value)),
  );
}
