import {
  bottomWidthOf,
  type CrossLayer,
  type DenseWeights,
  denseFeatureCountOf,
  findWeightsProblem,
  interactionPairs,
  interactionWidthOf,
  isDot,
  type LinearLayer,
  pooledWidthOfDims,
} from "../model/dense-weights.js";
import { GraphBuilder } from "./graph-builder.js";
import { floatTensor, int64Tensor } from "./onnx-tensor.js";

/** Keys of the file's metadata, from which `readDenseWeights()` knows what the weights belong to. */
export const DENSE_METADATA = {
  interaction: "shardpool.interaction",
  embeddingDims: "shardpool.embeddingDims",
  lossThreshold: "shardpool.lossThreshold",
} as const;

/**
 * The dense part of a model as an ONNX file: inputs `dense` [B, D] and `pooled` [B, ΣE] (features in
 * order); outputs `logit` and `probability` [B, 1]. The same weights give the same bytes.
 *
 * @throws RangeError when the weights do not fit together.
 */
export function writeDenseOnnx(weights: DenseWeights): Uint8Array {
  const problem = findWeightsProblem(weights);
  if (problem !== undefined) throw new RangeError(`dense weights: ${problem}`);
  const graph = new GraphBuilder();
  const dense = graph.addInput("dense", denseFeatureCountOf(weights));
  const pooled = graph.addInput("pooled", pooledWidthOfDims(weights.embeddingDims));
  const bottom = addMlp(graph, "bottom", dense, weights.bottomMlp, "bottom");
  const joined = isDot(weights.interaction)
    ? addDotInteraction(graph, weights, weights.interaction, bottom, pooled)
    : addCrossLayers(
        graph,
        graph.addNode("Concat", "interaction", [bottom, pooled], { axis: 1 }),
        weights,
      );
  const logit = addMlp(graph, "top", joined, weights.topMlp, "logit");
  addProbability(graph, logit, weights.lossThreshold ?? 0);
  graph.addOutput("logit", 1);
  graph.addOutput("probability", 1);
  return graph.encode("dense", {
    [DENSE_METADATA.interaction]: weights.interaction,
    [DENSE_METADATA.embeddingDims]: weights.embeddingDims.join(","),
    [DENSE_METADATA.lossThreshold]: String(weights.lossThreshold ?? 0),
  });
}

/** Adds linear layers with a ReLU between; the last has one too unless its output is the logit. */
function addMlp(
  graph: GraphBuilder,
  name: "bottom" | "top",
  input: string,
  layers: readonly LinearLayer[],
  outputName: string,
): string {
  let value = input;
  for (const [index, layer] of layers.entries()) {
    const isLast = index === layers.length - 1;
    const prefix = `${name}.${index}`;
    const { inputWidth, outputWidth } = layer;
    const weight = floatTensor(`${prefix}.weight`, [outputWidth, inputWidth], layer.weight);
    const bias = floatTensor(`${prefix}.bias`, [outputWidth], layer.bias);
    const operands = [value, graph.addConstant(weight), graph.addConstant(bias)];
    if (isLast && name === "top") {
      return graph.addNode("Gemm", outputName, operands, { transB: 1 });
    }
    const sum = graph.addNode("Gemm", `${prefix}.linear`, operands, { transB: 1 });
    value = graph.addNode("Relu", isLast ? outputName : `${prefix}.relu`, [sum]);
  }
  return value;
}

/**
 * All products of T's rows with one MatMul, then those that are wanted.
 *
 * They are taken as whole rows of the transposed products. A Gather along the columns copies one
 * float at a time: 1.95 ms against 1.65 ms for the whole graph at batch 128, 26 tables x 64
 * (13-512-256-64, 415-512-256-1, one thread); without any interaction it is 1.44 ms. Splitting
 * rows off equals it there but costs 25 % at batch 1; putting zeros into the next layer's weights
 * instead costs 2.05 ms.
 */
function addDotInteraction(
  graph: GraphBuilder,
  weights: DenseWeights,
  interaction: "dot" | "dot-itself",
  bottom: string,
  pooled: string,
): string {
  const dim = bottomWidthOf(weights);
  const rowCount = weights.embeddingDims.length + 1;
  const positions = interactionPairs(interaction, rowCount - 1).map(([i, j]) => i * rowCount + j);
  const constant = (name: string, values: readonly number[]): string =>
    graph.addConstant(int64Tensor(name, [values.length], values));

  const flat = graph.addNode("Concat", "interaction.flat", [bottom, pooled], { axis: 1 });
  const shape = constant("interaction.shape", [-1, rowCount, dim]);
  const rows = graph.addNode("Reshape", "interaction.rows", [flat, shape]);
  const columns = graph.addNode("Transpose", "interaction.columns", [rows], { perm: [0, 2, 1] });
  const products = graph.addNode("MatMul", "interaction.products", [rows, columns]);
  const productShape = constant("interaction.productShape", [-1, rowCount * rowCount]);
  const bySample = graph.addNode("Reshape", "interaction.bySample", [products, productShape]);
  const byPair = graph.addNode("Transpose", "interaction.byPair", [bySample], { perm: [1, 0] });
  const pairs = constant("interaction.pairs", positions);
  const taken = graph.addNode("Gather", "interaction.taken", [byPair, pairs], { axis: 0 });
  const dots = graph.addNode("Transpose", "interaction.dots", [taken], { perm: [1, 0] });
  return graph.addNode("Concat", "interaction", [bottom, dots], { axis: 1 });
}

/** `x' = x₀ ⊙ (W(V x) + b) + x` for each layer; without layers what they would read. */
function addCrossLayers(graph: GraphBuilder, first: string, weights: DenseWeights): string {
  const width = interactionWidthOf(
    weights.interaction,
    bottomWidthOf(weights),
    weights.embeddingDims,
  );
  let value = first;
  for (const [index, layer] of (weights.crossLayers ?? []).entries()) {
    value = addCrossLayer(graph, `cross.${index}`, { first, value, width }, layer);
  }
  return value;
}

function addCrossLayer(
  graph: GraphBuilder,
  name: string,
  { first, value, width }: { first: string; value: string; width: number },
  { rank, v, w, bias }: CrossLayer,
): string {
  const toLow = graph.addConstant(floatTensor(`${name}.v`, [rank, width], v));
  const toWide = graph.addConstant(floatTensor(`${name}.w`, [width, rank], w));
  const shift = graph.addConstant(floatTensor(`${name}.bias`, [width], bias));
  const low = graph.addNode("Gemm", `${name}.low`, [value, toLow], { transB: 1 });
  const wide = graph.addNode("Gemm", `${name}.wide`, [low, toWide, shift], { transB: 1 });
  const product = graph.addNode("Mul", `${name}.product`, [first, wide]);
  return graph.addNode("Add", `${name}.sum`, [product, value]);
}

function addProbability(graph: GraphBuilder, logit: string, lossThreshold: number): void {
  if (lossThreshold === 0) {
    graph.addNode("Sigmoid", "probability", [logit]);
    return;
  }
  const raw = graph.addNode("Sigmoid", "probability.raw", [logit]);
  const limits = Float32Array.of(lossThreshold, 1 - lossThreshold);
  const min = graph.addConstant(floatTensor("probability.min", [], limits.subarray(0, 1)));
  const max = graph.addConstant(floatTensor("probability.max", [], limits.subarray(1)));
  graph.addNode("Clip", "probability", [raw, min, max]);
}
