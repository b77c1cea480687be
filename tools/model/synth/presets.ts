import type { Interaction } from "../../../lib/model/dense-weights.js";

/** The shape of a published model. */
export interface ModelPreset {
  readonly title: string;
  /** Rows of each table; each has one feature. */
  readonly rowCounts: readonly number[];
  /** Row ids a sample of each feature. */
  readonly poolingFactors: readonly number[];
  readonly embeddingDim: number;
  readonly denseFeatureCount: number;
  /** Widths of the hidden layers; the last layer's is the embeddingDim. */
  readonly bottomHidden: readonly number[];
  /** Widths of the hidden layers; the last layer has one output. */
  readonly topHidden: readonly number[];
  readonly interaction: Interaction;
}

/** MLPerf's DLRM-v2: the tables of Criteo's terabyte log, multi-hot. */
const MLPERF_ROW_COUNTS = [
  40_000_000, 39_060, 17_295, 7_424, 20_265, 3, 7_122, 1_543, 63, 40_000_000, 3_067_956, 405_282,
  10, 2_209, 11_938, 155, 4, 976, 14, 40_000_000, 40_000_000, 40_000_000, 590_152, 12_973, 108, 36,
];
const MLPERF_POOLING_FACTORS = [
  3, 2, 1, 2, 6, 1, 1, 1, 1, 7, 3, 8, 1, 6, 9, 5, 1, 1, 1, 12, 100, 27, 10, 3, 1, 1,
];

export const PRESETS = {
  tiny: {
    title: "a few small tables, for tests",
    rowCounts: [300, 50, 1, 1000, 7, 128],
    poolingFactors: [3, 1, 1, 8, 2, 5],
    embeddingDim: 16,
    denseFeatureCount: 5,
    bottomHidden: [32],
    topHidden: [32, 16],
    interaction: "dot",
  },
  mlperf: {
    title: "MLPerf DLRM-v2's tables and ids, with dot interaction",
    rowCounts: MLPERF_ROW_COUNTS,
    poolingFactors: MLPERF_POOLING_FACTORS,
    embeddingDim: 128,
    denseFeatureCount: 13,
    bottomHidden: [512, 256],
    topHidden: [1024, 1024, 512, 256],
    interaction: "dot",
  },
  rm1: {
    title: "DeepRecSys rm1: few tables, many ids",
    rowCounts: new Array<number>(8).fill(4_000_000),
    poolingFactors: new Array<number>(8).fill(80),
    embeddingDim: 32,
    denseFeatureCount: 128,
    bottomHidden: [64],
    topHidden: [256, 64],
    interaction: "cat",
  },
  rm2: {
    title: "DeepRecSys rm2: many tables, many ids",
    rowCounts: new Array<number>(32).fill(500_000),
    poolingFactors: new Array<number>(32).fill(120),
    embeddingDim: 64,
    denseFeatureCount: 256,
    bottomHidden: [128],
    topHidden: [128, 64],
    interaction: "cat",
  },
  rm3: {
    title: "DeepRecSys rm3: a large dense part",
    rowCounts: new Array<number>(10).fill(2_000_000),
    poolingFactors: new Array<number>(10).fill(20),
    embeddingDim: 32,
    denseFeatureCount: 2560,
    bottomHidden: [1024, 256],
    topHidden: [512, 256],
    interaction: "cat",
  },
} as const satisfies Readonly<Record<string, ModelPreset>>;

export type PresetName = keyof typeof PRESETS;
export const PRESET_NAMES = Object.keys(PRESETS) as readonly PresetName[];

/** A table keeps at least so many of its rows, whatever the scale. */
const ROWS_KEPT = 3;

/**
 * A preset with its row counts multiplied, and another embeddingDim where one is given: the hidden
 * layers of the MLPs shrink with it, so that the dense part stays in proportion.
 */
export function scalePreset(
  preset: ModelPreset,
  {
    scale,
    embeddingDim = preset.embeddingDim,
  }: { scale: number; embeddingDim?: number | undefined },
): ModelPreset {
  const ratio = Math.min(1, embeddingDim / preset.embeddingDim);
  const isSmaller = ratio < 1;
  return {
    ...preset,
    embeddingDim,
    rowCounts: preset.rowCounts.map((rowCount) =>
      Math.max(Math.min(rowCount, ROWS_KEPT), Math.round(rowCount * scale)),
    ),
    topHidden: isSmaller ? preset.topHidden.slice(-2) : preset.topHidden,
  };
}
