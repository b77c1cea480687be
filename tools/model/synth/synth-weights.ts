import {
  type DenseWeights,
  interactionWidthOf,
  type LinearLayer,
} from "../../../lib/model/dense-weights.js";
import { referenceForward } from "../../../lib/model/reference-forward.js";
import { Random } from "../../../lib/random.js";
import type { ModelPreset } from "./presets.js";
import type { SynthRows } from "./synth-rows.js";

/** Samples whose logits the last layer is fitted to. */
const SAMPLE_COUNT = 256;
/**
 * Spread of the logit: enough for an AUC well above 0.7. Rounding in float32 grows with it, and a served
 * probability may differ from the recorded one by 1e-6.
 */
const LOGIT_DEVIATION = 1.15;
/** Gives about 30 % clicks at that spread. */
const LOGIT_MEAN = -1.1;
/** Row ids are drawn as `rowCount · u^SKEW`: a few rows take most reads, as in a log. */
const SKEW = 3;

/**
 * Weights of a made-up dense part: He-initialised layers, the last one scaled and shifted so that the
 * logit over skewed random samples has a fixed mean and deviation. Pooled vectors are as large as the
 * bottom output, so a logit depends on row ids much more than on dense features.
 */
export function synthWeights(
  preset: ModelPreset,
  rows: readonly SynthRows[],
  seed: number,
): DenseWeights {
  const { interaction, embeddingDim, denseFeatureCount } = preset;
  const embeddingDims = preset.rowCounts.map(() => embeddingDim);
  const bottom = [denseFeatureCount, ...preset.bottomHidden, embeddingDim];
  const topInput = interactionWidthOf(interaction, embeddingDim, embeddingDims);
  const top = [topInput, ...preset.topHidden, 1];
  const random = new Random(seed, "dense part");
  const weights: DenseWeights = {
    interaction,
    embeddingDims,
    bottomMlp: synthMlp(bottom, random),
    topMlp: synthMlp(top, random),
  };
  return withFittedLogit(weights, drawSamples(preset, rows, seed));
}

function synthMlp(widths: readonly number[], random: Random): LinearLayer[] {
  return widths.slice(1).map((outputWidth, i) => {
    const inputWidth = widths[i]!;
    const deviation = Math.sqrt(2 / inputWidth);
    const weight = new Float32Array(inputWidth * outputWidth);
    for (let j = 0; j < weight.length; j++) weight[j] = random.nextNormal() * deviation;
    const bias = Float32Array.from({ length: outputWidth }, () => random.nextNormal() * 0.1);
    return { inputWidth, outputWidth, weight, bias };
  });
}

interface DrawnSamples {
  readonly dense: Float32Array;
  readonly pooled: Float32Array;
}

function drawSamples(preset: ModelPreset, rows: readonly SynthRows[], seed: number): DrawnSamples {
  const random = new Random(seed, "calibration");
  const { embeddingDim, denseFeatureCount } = preset;
  const width = rows.length * embeddingDim;
  const pooled = new Float32Array(SAMPLE_COUNT * width);
  const row = new Float32Array(embeddingDim);
  for (let sample = 0; sample < SAMPLE_COUNT; sample++) {
    for (const [f, source] of rows.entries()) {
      const start = sample * width + f * embeddingDim;
      for (let i = 0; i < preset.poolingFactors[f]!; i++) {
        source.fill(Math.floor(preset.rowCounts[f]! * random.nextFloat() ** SKEW), row);
        for (let c = 0; c < embeddingDim; c++) pooled[start + c]! += row[c]!;
      }
    }
  }
  const dense = Float32Array.from({ length: SAMPLE_COUNT * denseFeatureCount }, () =>
    random.nextNormal(),
  );
  return { dense, pooled };
}

function withFittedLogit(weights: DenseWeights, { dense, pooled }: DrawnSamples): DenseWeights {
  const { logit } = referenceForward(weights, dense, pooled, SAMPLE_COUNT);
  const mean = logit.reduce((sum, value) => sum + value, 0) / logit.length;
  const variance = logit.reduce((sum, value) => sum + (value - mean) ** 2, 0) / logit.length;
  const factor = LOGIT_DEVIATION / Math.sqrt(variance);
  const last = weights.topMlp.at(-1)!;
  const fitted: LinearLayer = {
    ...last,
    weight: last.weight.map((value) => value * factor),
    bias: last.bias.map((value) => (value - mean) * factor + LOGIT_MEAN),
  };
  return { ...weights, topMlp: [...weights.topMlp.slice(0, -1), fitted] };
}
