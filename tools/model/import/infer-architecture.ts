import { ShardpoolError } from "../../../lib/errors.js";
import {
  type CrossLayer,
  type DenseWeights,
  findWeightsProblem,
  INTERACTIONS,
  type Interaction,
  interactionWidthOf,
  isDot,
  type LinearLayer,
} from "../../../lib/model/dense-weights.js";
import { fromUpperPairs } from "./pair-order.js";
import { readTensor } from "./state-dict.js";
import type { CrossTensors, LayerTensors, NamedState } from "./state-names.js";

export interface ArchitectureFlags {
  /** What the user says the interaction is; must agree with the shapes. */
  readonly interaction: Interaction | undefined;
  /** Probabilities are clamped to `[t, 1 - t]`; 0: they are not. No shape shows it. */
  readonly lossThreshold: number;
}

/**
 * Works out a DLRM's dense part from the shapes of its tensors, and reads its weights.
 *
 * The interaction follows from the widths: of F pooled vectors of dim D and a bottom output of dim D,
 * `dot` passes D + F(F+1)/2 values on, `dot-itself` D + (F+1)(F+2)/2, `cat` D + F·D; a state with cross
 * layers is `dcnv2`. Dot products of the upper triangle are brought into shardpool's order.
 *
 * @param embeddingDims Of each feature's pooled vector, in feature order.
 * @throws ShardpoolError MODEL_INVALID when no interaction fits, when several do and no flag decides,
 * or when the flag and the shapes disagree; the message has the widths.
 */
export function inferArchitecture(
  state: NamedState,
  embeddingDims: readonly number[],
  flags: ArchitectureFlags,
): DenseWeights {
  const bottomMlp = state.bottomMlp.map(readLayer);
  const topMlp = state.topMlp.map(readLayer);
  const bottomWidth = bottomMlp.at(-1)!.outputWidth;
  const topWidth = topMlp[0]!.inputWidth;
  const fitting = possibleInteractions(state).filter(
    (interaction) =>
      (!isDot(interaction) || embeddingDims.every((dim) => dim === bottomWidth)) &&
      interactionWidthOf(interaction, bottomWidth, embeddingDims) === topWidth,
  );
  const interaction = choose(fitting, flags.interaction, { bottomWidth, topWidth, embeddingDims });
  const { lossThreshold } = flags;
  if (isDot(interaction) && state.pairOrder === "upper") {
    topMlp[0] = fromUpperPairs(topMlp[0]!, bottomWidth, embeddingDims.length);
  }
  const crossLayers = state.crossLayers.map(readCrossLayer);
  const cross = crossLayers.length === 0 ? {} : { crossLayers };
  const weights = { interaction, embeddingDims, bottomMlp, topMlp, lossThreshold, ...cross };
  const problem = findWeightsProblem(weights);
  if (problem !== undefined) throw new ShardpoolError("MODEL_INVALID", problem);
  return weights;
}

/** What the tensors' names leave open. */
function possibleInteractions(state: NamedState): readonly Interaction[] {
  if (state.crossLayers.length > 0) return ["dcnv2"];
  // TorchRec has no products of a vector with itself.
  if (state.pairOrder === "upper") return ["dot", "cat"];
  return INTERACTIONS.filter((interaction) => interaction !== "dcnv2");
}

function choose(
  fitting: readonly Interaction[],
  wanted: Interaction | undefined,
  widths: {
    readonly bottomWidth: number;
    readonly topWidth: number;
    readonly embeddingDims: readonly number[];
  },
): Interaction {
  const { bottomWidth, topWidth, embeddingDims } = widths;
  const [first, second] = fitting;
  if (
    first !== undefined &&
    (wanted === undefined ? second === undefined : fitting.includes(wanted))
  ) {
    return wanted ?? first;
  }
  const dims = [...new Set(embeddingDims)].join(", ");
  const shapes = `${embeddingDims.length} features of dim ${dims}, bottom output ${bottomWidth}, top input ${topWidth}`;
  if (wanted !== undefined && fitting.length > 0) {
    throw new ShardpoolError(
      "MODEL_INVALID",
      `--interaction ${wanted} does not fit the shapes (${shapes}), which are those of ${fitting.join(" or ")}`,
    );
  }
  if (second !== undefined) {
    throw new ShardpoolError(
      "MODEL_INVALID",
      `the shapes (${shapes}) fit ${fitting.join(" and ")}; say which with --interaction`,
    );
  }
  throw new ShardpoolError(
    "MODEL_INVALID",
    `no interaction fits the shapes (${shapes}): ${INTERACTIONS.join(", ")} were tried`,
  );
}

function readLayer({ weight, bias }: LayerTensors): LinearLayer {
  return {
    outputWidth: weight.shape[0]!,
    inputWidth: weight.shape[1]!,
    weight: readTensor(weight),
    bias: readTensor(bias),
  };
}

function readCrossLayer({ v, w, bias }: CrossTensors): CrossLayer {
  return { rank: v.shape[0] ?? 0, v: readTensor(v), w: readTensor(w), bias: readTensor(bias) };
}
