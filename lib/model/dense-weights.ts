/** How the dense part joins the bottom MLP's output with the pooled vectors. */
export const INTERACTIONS = ["dot", "dot-itself", "cat", "dcnv2"] as const;
export type Interaction = (typeof INTERACTIONS)[number];

/** One layer of an MLP: `y = x Wᵀ + b`. */
export interface LinearLayer {
  readonly inputWidth: number;
  readonly outputWidth: number;
  /** `[outputWidth, inputWidth]`, row-major. */
  readonly weight: Float32Array;
  /** `[outputWidth]`. */
  readonly bias: Float32Array;
}

/**
 * One low-rank layer of a DCN-v2 cross network: `x' = x₀ ⊙ (W(V x) + b) + x`, x₀ being what the first
 * layer reads (Wang et al., 2021; MLPerf's DLRM-v2).
 */
export interface CrossLayer {
  readonly rank: number;
  /** `[rank, width]`, row-major. */
  readonly v: Float32Array;
  /** `[width, rank]`, row-major. */
  readonly w: Float32Array;
  /** `[width]`. */
  readonly bias: Float32Array;
}

/**
 * All weights of a model's dense part, and what is needed to compute with them.
 *
 * The bottom MLP has a ReLU after every layer, the top MLP after every layer but the last, whose one
 * output is the logit. With T's rows being the bottom output and then the pooled vectors in feature
 * order, `dot` joins to the bottom output the products T[i]·T[j] for i = 1, 2, … and j < i, `dot-itself`
 * those for i = 0, 1, … and j ≤ i; `cat` joins the pooled vectors as they are, and `dcnv2` passes what
 * `cat` gives through the cross layers.
 */
export interface DenseWeights {
  readonly interaction: Interaction;
  /** Width of each feature's pooled vector, in feature order. Dot interactions want one width. */
  readonly embeddingDims: readonly number[];
  readonly bottomMlp: readonly LinearLayer[];
  readonly topMlp: readonly LinearLayer[];
  /** With `dcnv2` only. */
  readonly crossLayers?: readonly CrossLayer[];
  /** Probabilities are clamped to `[t, 1 - t]`; 0 or absent: they are not. */
  readonly lossThreshold?: number;
}

/** Dense features a sample: what the first layer of the bottom MLP reads. */
export function denseFeatureCountOf(weights: DenseWeights): number {
  return weights.bottomMlp[0]!.inputWidth;
}

/** Width of the bottom MLP's output. */
export function bottomWidthOf(weights: Pick<DenseWeights, "bottomMlp">): number {
  return weights.bottomMlp.at(-1)!.outputWidth;
}

/** Width of the `pooled` input. */
export function pooledWidthOfDims(embeddingDims: readonly number[]): number {
  return embeddingDims.reduce((sum, dim) => sum + dim, 0);
}

/** Width of what the top MLP reads. */
export function interactionWidthOf(
  interaction: Interaction,
  bottomWidth: number,
  embeddingDims: readonly number[],
): number {
  if (!isDot(interaction)) return bottomWidth + pooledWidthOfDims(embeddingDims);
  return bottomWidth + interactionPairs(interaction, embeddingDims.length).length;
}

/** Whether the interaction takes dot products, which want one width of all vectors. */
export function isDot(interaction: Interaction): interaction is "dot" | "dot-itself" {
  return interaction === "dot" || interaction === "dot-itself";
}

/** The pairs (i, j) of T's rows whose products a dot interaction passes on, in order. */
export function interactionPairs(
  interaction: "dot" | "dot-itself",
  featureCount: number,
): (readonly [number, number])[] {
  const pairs: (readonly [number, number])[] = [];
  for (let i = 0; i <= featureCount; i++) {
    const end = interaction === "dot-itself" ? i + 1 : i;
    for (let j = 0; j < end; j++) pairs.push([i, j]);
  }
  return pairs;
}

/**
 * Says the first thing by which weights do not fit together, or nothing. Callers put it into the
 * error of their own trade: a bug where we made the weights, a bad file where we read them.
 */
export function findWeightsProblem(weights: DenseWeights): string | undefined {
  const { interaction, embeddingDims, bottomMlp, topMlp, lossThreshold = 0 } = weights;
  if (bottomMlp.length === 0 || topMlp.length === 0) return "an MLP without layers";
  if (embeddingDims.length === 0) return "no features";
  const chain = findChainProblem("bottom", bottomMlp) ?? findChainProblem("top", topMlp);
  if (chain !== undefined) return chain;
  const bottomWidth = bottomWidthOf(weights);
  const otherDim = embeddingDims.find((dim) => dim !== bottomWidth);
  if (isDot(interaction) && otherDim !== undefined) {
    return `${interaction} wants every embeddingDim to equal the bottom MLP's output ${bottomWidth}, got ${otherDim}`;
  }
  const width = interactionWidthOf(interaction, bottomWidth, embeddingDims);
  const cross = findCrossProblem(weights, width);
  if (cross !== undefined) return cross;
  if (topMlp[0]!.inputWidth !== width) {
    return `top.0 reads ${topMlp[0]!.inputWidth} values, the interaction gives ${width}`;
  }
  if (topMlp.at(-1)!.outputWidth !== 1) {
    return `the top MLP ends with ${topMlp.at(-1)!.outputWidth} outputs, must be 1`;
  }
  if (!(lossThreshold >= 0 && lossThreshold < 0.5)) {
    return `lossThreshold ${lossThreshold} must be in [0, 0.5)`;
  }
  return undefined;
}

function findCrossProblem(
  { interaction, crossLayers = [] }: DenseWeights,
  width: number,
): string | undefined {
  if ((interaction === "dcnv2") !== crossLayers.length > 0) {
    return `${interaction} with ${crossLayers.length} cross layers; dcnv2 has them, and nothing else`;
  }
  for (const [index, { rank, v, w, bias }] of crossLayers.entries()) {
    const isRight = v.length === rank * width && w.length === rank * width && bias.length === width;
    if (rank >= 1 && isRight) continue;
    return `cross.${index} has ${v.length}, ${w.length} and ${bias.length} values, must have ${rank} x ${width} twice and ${width}`;
  }
  return undefined;
}

function findChainProblem(name: string, layers: readonly LinearLayer[]): string | undefined {
  for (const [index, layer] of layers.entries()) {
    const { inputWidth, outputWidth, weight, bias } = layer;
    if (inputWidth < 1 || outputWidth < 1) return `${name}.${index} has no inputs or no outputs`;
    if (weight.length !== inputWidth * outputWidth || bias.length !== outputWidth) {
      return `${name}.${index} has ${weight.length} weights and ${bias.length} biases, must be ${outputWidth} x ${inputWidth} and ${outputWidth}`;
    }
    const previous = layers[index - 1];
    if (previous !== undefined && previous.outputWidth !== inputWidth) {
      return `${name}.${index} reads ${inputWidth} values, the layer before gives ${previous.outputWidth}`;
    }
  }
  return undefined;
}
