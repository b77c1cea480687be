import { ShardpoolError } from "../../../lib/errors.js";
import type { StateDict, StateTensor } from "./state-dict.js";
import { inTableOrder } from "./table-order.js";

/** One linear layer's tensors, `y = x Wᵀ + b`. */
export interface LayerTensors {
  readonly weight: StateTensor;
  readonly bias: StateTensor;
}

/** A low-rank cross layer's tensors, `x' = x₀ ⊙ (W(V x) + b) + x`. */
export interface CrossTensors {
  /** `[rank, width]`. */
  readonly v: StateTensor;
  /** `[width, rank]`. */
  readonly w: StateTensor;
  /** `[width]` or `[width, 1]`. */
  readonly bias: StateTensor;
}

/** In which order a top MLP reads the dot products: of the lower triangle row by row, or the upper. */
export type PairOrder = "lower" | "upper";

/** An embedding table's tensors. */
export interface TableTensors {
  /** The table's name in the model to be made. */
  readonly name: string;
  /** `[rowCount, embeddingDim]`. */
  readonly weight: StateTensor;
  /** `[rowCount]`: multiplies each row before the sum (weighted pooling). */
  readonly rowWeights?: StateTensor;
}

/** A state dict's tensors by what they are for. */
export interface NamedState {
  readonly tables: readonly TableTensors[];
  readonly bottomMlp: readonly LayerTensors[];
  readonly topMlp: readonly LayerTensors[];
  /** Of a DCN-v2 interaction; empty without one. */
  readonly crossLayers: readonly CrossTensors[];
  readonly pairOrder: PairOrder;
  /** Names of tensors that are not part of a DLRM as shardpool knows it. */
  readonly unused: readonly string[];
}

/**
 * How a training code names its tensors. The first group of `table` and `rowWeights` is the table's
 * number or name; of `bottom` and `top` the layer's path, whose numbers say its place in order.
 */
interface NamingScheme {
  readonly title: string;
  readonly table: RegExp;
  readonly rowWeights?: RegExp;
  readonly bottom: RegExp;
  readonly top: RegExp;
  /** Groups: which kernel, and the layer's number. */
  readonly cross?: RegExp;
  readonly pairOrder: PairOrder;
}

const SCHEMES: readonly NamingScheme[] = [
  {
    title: "facebookresearch/dlrm (emb_l.N.weight, bot_l.N, top_l.N)",
    table: /^(?:module\.)?emb_l\.(\d+)\.weight$/,
    rowWeights: /^(?:module\.)?v_W_l\.(\d+)$/,
    bottom: /^(?:module\.)?bot_l\.(\d+)\.(weight|bias)$/,
    top: /^(?:module\.)?top_l\.(\d+)\.(weight|bias)$/,
    pairOrder: "lower",
  },
  {
    title: "TorchRec (embedding_bags.T.weight, dense_arch, over_arch)",
    table: /(?:^|\.)embedding_bags\.([^.]+)\.weight$/,
    bottom: /(?:^|\.)dense_arch\.(.*)\.(weight|bias)$/,
    top: /(?:^|\.)over_arch\.(.*)\.(weight|bias)$/,
    cross: /(?:^|\.)crossnet\.(\w+)\.(\d+)$/,
    pairOrder: "upper",
  },
];

/**
 * Sorts a state dict's tensors by their names.
 *
 * @throws ShardpoolError MODEL_INVALID when the names follow no scheme that is known, or a layer lacks
 * its weight or bias.
 */
export function nameState(state: StateDict): NamedState {
  const names = [...state.tensors.keys()];
  const scheme = SCHEMES.find(({ table }) => names.some((name) => table.test(name)));
  if (scheme === undefined) {
    throw new ShardpoolError(
      "MODEL_INVALID",
      `${state.what}: no embedding tables by any known naming: ${SCHEMES.map(({ title }) => title).join("; ")}`,
    );
  }
  const tables = tablesOf(state, scheme);
  const bottomMlp = layersOf(state, scheme.bottom, "bottom MLP");
  const topMlp = layersOf(state, scheme.top, "top MLP");
  const crossLayers = crossLayersOf(state, scheme.cross);
  const used = new Set(
    [
      ...tables.flatMap(({ weight, rowWeights }) => [weight, rowWeights]),
      ...[...bottomMlp, ...topMlp].flatMap(({ weight, bias }) => [weight, bias]),
      ...crossLayers.flatMap(({ v, w, bias }) => [v, w, bias]),
    ].map((tensor) => tensor?.name),
  );
  const unused = names.filter((name) => !used.has(name));
  return { tables, bottomMlp, topMlp, crossLayers, pairOrder: scheme.pairOrder, unused };
}

/**
 * A state whose tensors are all embedding tables, named by them; for a dense part that came alone.
 *
 * @throws ShardpoolError MODEL_INVALID for a tensor that is no table, or an order that is not known.
 */
export function tablesOnly(
  state: StateDict,
  { feature }: { readonly feature: readonly string[] },
): TableTensors[] {
  const tables = [...state.tensors].map(([name, weight]): TableTensors => {
    assertShape(weight, 2);
    return { name: name.replace(/\.weight$/, ""), weight };
  });
  return inTableOrder(tables, feature.length > 0 ? { ...state, isOrdered: true } : state);
}

function tablesOf(state: StateDict, scheme: NamingScheme): TableTensors[] {
  const rowWeights = new Map<string, StateTensor>();
  for (const [name, tensor] of state.tensors) {
    const match = scheme.rowWeights?.exec(name);
    if (match) rowWeights.set(match[1]!, tensor);
  }
  const tables: TableTensors[] = [];
  for (const [name, weight] of state.tensors) {
    const key = scheme.table.exec(name)?.[1];
    if (key === undefined) continue;
    assertShape(weight, 2);
    const weights = rowWeights.get(key);
    if (weights !== undefined) assertRowWeights(weights, weight);
    const table = { name: /^\d+$/.test(key) ? `table_${key}` : key, weight };
    tables.push(weights === undefined ? table : { ...table, rowWeights: weights });
  }
  return inTableOrder(tables, state);
}

function layersOf(state: StateDict, pattern: RegExp, title: string): LayerTensors[] {
  const partsByPath = new Map<string, { weight?: StateTensor; bias?: StateTensor }>();
  for (const [name, tensor] of state.tensors) {
    const match = pattern.exec(name);
    if (!match) continue;
    const path = match[1]!;
    const parts = partsByPath.get(path) ?? {};
    if (match[2] === "weight") parts.weight = tensor;
    else parts.bias = tensor;
    partsByPath.set(path, parts);
  }
  const paths = [...partsByPath.keys()].toSorted(byNumbersInPath);
  if (paths.length === 0) {
    throw new ShardpoolError("MODEL_INVALID", `${state.what} has no layers of the ${title}`);
  }
  return paths.map((path) => {
    const { weight, bias } = partsByPath.get(path)!;
    if (weight === undefined || bias === undefined) {
      const missing = weight === undefined ? "weight" : "bias";
      throw new ShardpoolError(
        "MODEL_INVALID",
        `${state.what}: layer ${path} of the ${title} has no ${missing}`,
      );
    }
    assertShape(weight, 2);
    assertShape(bias, 1);
    return { weight, bias };
  });
}

/** `model.0._mlp.2._linear` comes before `model.1`. */
function byNumbersInPath(a: string, b: string): number {
  const [left, right] = [a, b].map((path) => (path.match(/\d+/g) ?? []).map(Number));
  for (let i = 0; i < Math.min(left!.length, right!.length); i++) {
    if (left![i] !== right![i]) return left![i]! - right![i]!;
  }
  return left!.length - right!.length;
}

const CROSS_PARTS: Readonly<Record<string, keyof CrossTensors>> = {
  V_kernels: "v",
  W_kernels: "w",
  bias: "bias",
};

function crossLayersOf(state: StateDict, pattern: RegExp | undefined): CrossTensors[] {
  const layers: Partial<Record<keyof CrossTensors, StateTensor>>[] = [];
  for (const [name, tensor] of state.tensors) {
    const match = pattern?.exec(name);
    if (!match) continue;
    const part = CROSS_PARTS[match[1]!];
    const number = Number(match[2]);
    if (part === undefined || number > state.tensors.size) {
      throw new ShardpoolError(
        "MODEL_INVALID",
        `${state.what}: ${name} is of no low-rank cross network (V_kernels, W_kernels, bias), the kind that is read`,
      );
    }
    layers[number] = { ...layers[number], [part]: tensor };
  }
  return Array.from(layers, (layer, number) => wholeCrossLayer(layer ?? {}, number, state.what));
}

function wholeCrossLayer(
  { v, w, bias }: Partial<CrossTensors>,
  number: number,
  what: string,
): CrossTensors {
  if (v === undefined || w === undefined || bias === undefined) {
    throw new ShardpoolError(
      "MODEL_INVALID",
      `${what}: cross layer ${number} lacks V_kernels, W_kernels or bias`,
    );
  }
  assertShape(v, 2);
  assertShape(w, 2);
  if (w.shape[0] === v.shape[1] && w.shape[1] === v.shape[0]) return { v, w, bias };
  throw new ShardpoolError(
    "MODEL_INVALID",
    `${what}: cross layer ${number} has V [${v.shape.join(", ")}] and W [${w.shape.join(", ")}], must be [rank, width] and [width, rank]`,
  );
}

function assertShape(tensor: StateTensor, dimensionCount: number): void {
  if (tensor.shape.length === dimensionCount && tensor.shape.every((extent) => extent > 0)) return;
  throw new ShardpoolError(
    "MODEL_INVALID",
    `tensor ${tensor.name} has shape [${tensor.shape.join(", ")}], must have ${dimensionCount} dimensions, none empty`,
  );
}

function assertRowWeights(rowWeights: StateTensor, table: StateTensor): void {
  if (rowWeights.shape.length === 1 && rowWeights.shape[0] === table.shape[0]) return;
  throw new ShardpoolError(
    "MODEL_INVALID",
    `${rowWeights.name} has shape [${rowWeights.shape.join(", ")}], ${table.name} has ${table.shape[0]} rows`,
  );
}
