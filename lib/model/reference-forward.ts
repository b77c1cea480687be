import assert from "node:assert/strict";
import {
  bottomWidthOf,
  type CrossLayer,
  type DenseWeights,
  denseFeatureCountOf,
  interactionPairs,
  interactionWidthOf,
  isDot,
  type LinearLayer,
  pooledWidthOfDims,
} from "./dense-weights.js";

export { type ReferencePooled, referencePooled } from "./reference-pooled.js";

export interface ReferenceOutputs {
  /** `[sampleCount]`. */
  readonly logit: Float32Array;
  /** `[sampleCount]`, click probabilities. */
  readonly probability: Float32Array;
}

/**
 * The slow oracle of the dense part: what a dense.onnx must answer, written for reading. All sums
 * run in float64 and only the results are rounded to float32, so that what differs from it is the
 * other side's rounding.
 *
 * @param dense `[sampleCount, denseFeatureCount]`, row-major.
 * @param pooled `[sampleCount, ΣE]`, features in order.
 */
export function referenceForward(
  weights: DenseWeights,
  dense: Float32Array,
  pooled: Float32Array,
  sampleCount: number,
): ReferenceOutputs {
  const denseWidth = denseFeatureCountOf(weights);
  const pooledWidth = pooledWidthOfDims(weights.embeddingDims);
  assert.equal(dense.length, sampleCount * denseWidth);
  assert.equal(pooled.length, sampleCount * pooledWidth);
  const logit = new Float32Array(sampleCount);
  const probability = new Float32Array(sampleCount);
  for (let sample = 0; sample < sampleCount; sample++) {
    const value = sampleLogit(
      weights,
      dense.subarray(sample * denseWidth, (sample + 1) * denseWidth),
      pooled.subarray(sample * pooledWidth, (sample + 1) * pooledWidth),
    );
    logit[sample] = value;
    probability[sample] = clampProbability(1 / (1 + Math.exp(-value)), weights.lossThreshold ?? 0);
  }
  return { logit, probability };
}

function sampleLogit(weights: DenseWeights, dense: Float32Array, pooled: Float32Array): number {
  let values = Float64Array.from(dense);
  for (const layer of weights.bottomMlp) values = relu(applyLayer(layer, values));
  values = joinInteraction(weights, values, pooled);
  for (const layer of weights.topMlp.slice(0, -1)) values = relu(applyLayer(layer, values));
  return applyLayer(weights.topMlp.at(-1)!, values)[0]!;
}

/** `y = x Wᵀ + b`. */
function applyLayer(layer: LinearLayer, input: Float64Array): Float64Array<ArrayBuffer> {
  const { inputWidth, outputWidth, weight, bias } = layer;
  const output = Float64Array.from(bias);
  for (let o = 0; o < outputWidth; o++) {
    let sum = 0;
    for (let i = 0; i < inputWidth; i++) sum += input[i]! * weight[o * inputWidth + i]!;
    output[o]! += sum;
  }
  return output;
}

function relu(values: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  return values.map((value) => Math.max(value, 0));
}

/** What the top MLP reads: the bottom MLP's output, then the pooled vectors or the dot products. */
function joinInteraction(
  weights: DenseWeights,
  bottom: Float64Array,
  pooled: Float32Array,
): Float64Array<ArrayBuffer> {
  const { interaction, embeddingDims } = weights;
  const dim = bottomWidthOf(weights);
  const joined = new Float64Array(interactionWidthOf(interaction, dim, embeddingDims));
  joined.set(bottom);
  if (!isDot(interaction)) {
    joined.set(pooled, dim);
    return (weights.crossLayers ?? []).reduce(
      (values, layer) => crossValues(layer, joined, values),
      joined,
    );
  }
  // T of `DenseWeights`: the bottom output, then a row a feature.
  const rows = new Float64Array(dim + pooled.length);
  rows.set(bottom);
  rows.set(pooled, dim);
  for (const [pair, [i, j]] of interactionPairs(interaction, embeddingDims.length).entries()) {
    let dot = 0;
    for (let column = 0; column < dim; column++) {
      dot += rows[i * dim + column]! * rows[j * dim + column]!;
    }
    joined[dim + pair] = dot;
  }
  return joined;
}

/** `x₀ ⊙ (W(V x) + b) + x`. */
function crossValues(
  { rank, v, w, bias }: CrossLayer,
  first: Float64Array,
  values: Float64Array,
): Float64Array<ArrayBuffer> {
  const width = values.length;
  const low = new Float64Array(rank);
  for (let r = 0; r < rank; r++) {
    for (let i = 0; i < width; i++) low[r]! += v[r * width + i]! * values[i]!;
  }
  const crossed = Float64Array.from(values);
  for (let i = 0; i < width; i++) {
    let sum = 0;
    for (let r = 0; r < rank; r++) sum += w[i * rank + r]! * low[r]!;
    crossed[i]! += first[i]! * (sum + bias[i]!);
  }
  return crossed;
}

/** Into `[t, 1 - t]`, with limits rounded to float32 as a float32 graph holds them. */
function clampProbability(probability: number, lossThreshold: number): number {
  if (lossThreshold === 0) return probability;
  return Math.min(
    Math.max(probability, Math.fround(lossThreshold)),
    Math.fround(1 - lossThreshold),
  );
}
