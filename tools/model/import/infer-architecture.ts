import { ShardpoolError } from "../../../lib/errors.js";
import {
  type DenseWeights,
  findWeightsProblem,
  INTERACTIONS,
  type Interaction,
  interactionWidthOf,
  type LinearLayer,
} from "../../../lib/model/dense-weights.js";
import { readTensor } from "./state-dict.js";
import type { LayerTensors, NamedState } from "./state-names.js";

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
 * `dot` passes D + F(F+1)/2 values on, `dot-itself` D + (F+1)(F+2)/2, `cat` D + F·D.
 *
 * @throws ShardpoolError MODEL_INVALID when no interaction fits, when several do and no flag decides,
 * or when the flag and the shapes disagree; the message has the widths.
 */
export function inferArchitecture(state: NamedState, flags: ArchitectureFlags): DenseWeights {
  const embeddingDims = state.tables.map(({ weight }) => weight.shape[1]!);
  const bottomMlp = state.bottomMlp.map(readLayer);
  const topMlp = state.topMlp.map(readLayer);
  const bottomWidth = bottomMlp.at(-1)!.outputWidth;
  const topWidth = topMlp[0]!.inputWidth;
  const fitting = INTERACTIONS.filter(
    (interaction) =>
      isPossible(interaction, bottomWidth, embeddingDims) &&
      interactionWidthOf(interaction, bottomWidth, embeddingDims) === topWidth,
  );
  const interaction = choose(fitting, flags.interaction, { bottomWidth, topWidth, embeddingDims });
  const { lossThreshold } = flags;
  const weights = { interaction, embeddingDims, bottomMlp, topMlp, lossThreshold };
  const problem = findWeightsProblem(weights);
  if (problem !== undefined) throw new ShardpoolError("MODEL_INVALID", problem);
  return weights;
}

/** Dot products want equal widths. */
function isPossible(
  interaction: Interaction,
  bottomWidth: number,
  embeddingDims: readonly number[],
): boolean {
  return interaction === "cat" || embeddingDims.every((dim) => dim === bottomWidth);
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
  const shapes = `${embeddingDims.length} tables of dim ${dims}, bottom output ${bottomWidth}, top input ${topWidth}`;
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
