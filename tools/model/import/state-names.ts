import { ShardpoolError } from "../../../lib/errors.js";
import type { StateDict, StateTensor } from "./state-dict.js";

/** One linear layer's tensors, `y = x Wᵀ + b`. */
export interface LayerTensors {
  readonly weight: StateTensor;
  readonly bias: StateTensor;
}

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
  /** Names of tensors that are not part of a DLRM as shardpool knows it. */
  readonly unused: readonly string[];
}

/** How a training code names its tensors; the first group of each is the place in order, or a name. */
interface NamingScheme {
  readonly title: string;
  readonly table: RegExp;
  readonly rowWeights?: RegExp;
  readonly bottom: RegExp;
  readonly top: RegExp;
}

const SCHEMES: readonly NamingScheme[] = [
  {
    title: "facebookresearch/dlrm (emb_l.N.weight, bot_l.N, top_l.N)",
    table: /^(?:module\.)?emb_l\.(\d+)\.weight$/,
    rowWeights: /^(?:module\.)?v_W_l\.(\d+)$/,
    bottom: /^(?:module\.)?bot_l\.(\d+)\.(weight|bias)$/,
    top: /^(?:module\.)?top_l\.(\d+)\.(weight|bias)$/,
  },
  {
    title: "TorchRec (embedding_bags.T.weight, dense_arch, over_arch)",
    table: /(?:^|\.)embedding_bags\.([^.]+)\.weight$/,
    bottom: /(?:^|\.)dense_arch\.(?:.*\.)?(\d+)\.(?:_linear\.)?(weight|bias)$/,
    top: /(?:^|\.)over_arch\.(?:.*\.)?(\d+)\.(?:_linear\.)?(weight|bias)$/,
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
  const used = new Set(
    [
      ...tables.flatMap(({ weight, rowWeights }) => [weight, rowWeights]),
      ...[...bottomMlp, ...topMlp].flatMap(({ weight, bias }) => [weight, bias]),
    ].map((tensor) => tensor?.name),
  );
  return { tables, bottomMlp, topMlp, unused: names.filter((name) => !used.has(name)) };
}

function tablesOf(state: StateDict, scheme: NamingScheme): TableTensors[] {
  const rowWeights = new Map<string, StateTensor>();
  for (const [name, tensor] of state.tensors) {
    const match = scheme.rowWeights?.exec(name);
    if (match) rowWeights.set(match[1]!, tensor);
  }
  const tables: { readonly key: string; readonly table: TableTensors }[] = [];
  for (const [name, weight] of state.tensors) {
    const key = scheme.table.exec(name)?.[1];
    if (key === undefined) continue;
    assertShape(weight, 2);
    const weights = rowWeights.get(key);
    if (weights !== undefined) assertRowWeights(weights, weight);
    const table = { name: /^\d+$/.test(key) ? `table_${key}` : key, weight };
    tables.push({ key, table: weights === undefined ? table : { ...table, rowWeights: weights } });
  }
  // Numbered tables go by number: the interaction depends on their order. Named ones keep the file's.
  if (tables.every(({ key }) => /^\d+$/.test(key))) {
    tables.sort((a, b) => Number(a.key) - Number(b.key));
  }
  return tables.map(({ table }) => table);
}

function layersOf(state: StateDict, pattern: RegExp, title: string): LayerTensors[] {
  const partsByNumber = new Map<number, { weight?: StateTensor; bias?: StateTensor }>();
  for (const [name, tensor] of state.tensors) {
    const match = pattern.exec(name);
    if (!match) continue;
    const number = Number(match[1]);
    const parts = partsByNumber.get(number) ?? {};
    if (match[2] === "weight") parts.weight = tensor;
    else parts.bias = tensor;
    partsByNumber.set(number, parts);
  }
  const numbers = [...partsByNumber.keys()].toSorted((a, b) => a - b);
  if (numbers.length === 0) {
    throw new ShardpoolError("MODEL_INVALID", `${state.what} has no layers of the ${title}`);
  }
  return numbers.map((number) => {
    const { weight, bias } = partsByNumber.get(number)!;
    if (weight === undefined || bias === undefined) {
      const missing = weight === undefined ? "weight" : "bias";
      throw new ShardpoolError(
        "MODEL_INVALID",
        `${state.what}: layer ${number} of the ${title} has no ${missing}`,
      );
    }
    assertShape(weight, 2);
    assertShape(bias, 1);
    return { weight, bias };
  });
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
