import {
  type CrossLayer,
  type DenseWeights,
  type Interaction,
  interactionWidthOf,
  isDot,
  type LinearLayer,
} from "../../lib/model/dense-weights.js";
import { Random } from "../../lib/random.js";

export interface DenseShape {
  readonly interaction: Interaction;
  readonly denseFeatureCount: number;
  readonly embeddingDims: readonly number[];
  /** Widths of the bottom MLP's hidden layers; its output follows from the dims. */
  readonly bottomHidden: readonly number[];
  /** Widths of the top MLP's hidden layers; its output is 1. */
  readonly topHidden: readonly number[];
  readonly lossThreshold?: number;
}

/**
 * Weights of a shape, scaled so that every layer's outputs are about 1 for inputs of about 1: sums of
 * large terms that cancel would measure float32 and not the code.
 */
export function randomWeights(shape: DenseShape, seed: number): DenseWeights {
  const { interaction, embeddingDims, lossThreshold } = shape;
  const bottomWidth = embeddingDims[0]!;
  const top = interactionWidthOf(interaction, bottomWidth, embeddingDims);
  const random = new Random(seed, "weights");
  // A dot product of two such rows, above all of one with itself, is about this.
  const productSize = isDot(interaction) ? bottomWidth : 1;
  const cross = interaction === "dcnv2" ? { crossLayers: randomCross(top, random) } : {};
  return {
    interaction,
    embeddingDims,
    bottomMlp: randomMlp([shape.denseFeatureCount, ...shape.bottomHidden, bottomWidth], random),
    topMlp: randomMlp([top, ...shape.topHidden, 1], random, productSize),
    ...cross,
    ...(lossThreshold === undefined ? {} : { lossThreshold }),
  };
}

/** Two layers of different ranks. */
function randomCross(width: number, random: Random): CrossLayer[] {
  return [3, 2].map((rank) => ({
    rank,
    v: normalValues(rank * width, Math.sqrt(1 / width), random),
    w: normalValues(width * rank, 0.5 * Math.sqrt(1 / rank), random),
    bias: normalValues(width, 0.1, random),
  }));
}

/** `length` normal values with the given standard deviation. */
export function normalValues(length: number, deviation: number, random: Random): Float32Array {
  return Float32Array.from({ length }, () => random.nextNormal() * deviation);
}

function randomMlp(widths: readonly number[], random: Random, inputSize = 1): LinearLayer[] {
  return widths.slice(1).map((outputWidth, index) => {
    const inputWidth = widths[index]!;
    const deviation = Math.sqrt(2 / inputWidth) / (index === 0 ? inputSize : 1);
    return {
      inputWidth,
      outputWidth,
      weight: normalValues(inputWidth * outputWidth, deviation, random),
      bias: normalValues(outputWidth, 0.1, random),
    };
  });
}
