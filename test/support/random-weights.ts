import {
  type DenseWeights,
  type Interaction,
  interactionWidthOf,
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

/** Weights of a shape, scaled as trained ones are, so that probabilities spread over (0, 1). */
export function randomWeights(shape: DenseShape, seed: number): DenseWeights {
  const { interaction, embeddingDims, lossThreshold } = shape;
  const bottomWidth = embeddingDims[0]!;
  const top = interactionWidthOf(interaction, bottomWidth, embeddingDims);
  const random = new Random(seed, "weights");
  return {
    interaction,
    embeddingDims,
    bottomMlp: randomMlp([shape.denseFeatureCount, ...shape.bottomHidden, bottomWidth], random),
    topMlp: randomMlp([top, ...shape.topHidden, 1], random),
    ...(lossThreshold === undefined ? {} : { lossThreshold }),
  };
}

/** `length` normal values with the given standard deviation. */
export function normalValues(length: number, deviation: number, random: Random): Float32Array {
  return Float32Array.from({ length }, () => random.nextNormal() * deviation);
}

function randomMlp(widths: readonly number[], random: Random): LinearLayer[] {
  return widths.slice(1).map((outputWidth, index) => {
    const inputWidth = widths[index]!;
    return {
      inputWidth,
      outputWidth,
      weight: normalValues(inputWidth * outputWidth, Math.sqrt(2 / inputWidth), random),
      bias: normalValues(outputWidth, 0.1, random),
    };
  });
}
