import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { fromFileError, ShardpoolError } from "../../../lib/errors.js";
import type { DenseWeights, Interaction } from "../../../lib/model/dense-weights.js";
import { writeDenseOnnx } from "../../../lib/onnx/dense-onnx-writer.js";
import { decodeOnnxModel, encodeOnnxModel } from "../../../lib/onnx/onnx-proto.js";
import { adoptDensePart } from "./adopt-dense-part.js";
import { cutOnnx } from "./cut-onnx.js";
import { type FeatureFlags, type ImportFeature, importFeatures } from "./import-features.js";
import { inferArchitecture } from "./infer-architecture.js";
import { openNpyFolderState, openNpzState } from "./npy-state.js";
import { openOnnxTensor, withInlineWeights } from "./onnx-tensor-source.js";
import { openSafetensorsState } from "./safetensors-state.js";
import type { StateDict } from "./state-dict.js";
import { nameState, type TableTensors, tablesOnly } from "./state-names.js";
import { openTorchState } from "./torch-state.js";

export interface ImportFlags extends FeatureFlags {
  readonly interaction: Interaction | undefined;
  readonly lossThreshold: number;
  /** Where the tables are, for an ONNX file of the dense part alone. */
  readonly tables: string | undefined;
}

/** A trained model as the importer sees it, whatever file it came from. Whoever opens it closes it. */
export interface ImportSource {
  readonly tables: readonly TableTensors[];
  /** In the order of `pooled`; `table` is a name in `tables`. */
  readonly features: readonly ImportFeature[];
  readonly denseFeatureCount: number;
  readonly dense: Uint8Array;
  /** What the oracle computes with, where the dense part is known by its weights. */
  readonly weights?: DenseWeights;
  readonly interaction: Interaction | "imported";
  /** Names of tensors that the model does not need. */
  readonly unused: readonly string[];
  close(): void;
}

/**
 * Opens a trained model: `.npz`, a folder of `.npy`, `.safetensors`, `.pt`/`.pth` of torch.save, or
 * `.onnx`: the whole model, or the dense part with the tables in another place.
 *
 * @throws ShardpoolError FORMAT_UNSUPPORTED for another kind of file; whatever the reader of the kind
 * throws.
 */
export async function openImportSource(path: string, flags: ImportFlags): Promise<ImportSource> {
  if (extensionOf(path) !== ".onnx") {
    if (flags.tables !== undefined) {
      throw new ShardpoolError("CONFIG_INVALID", "--tables goes with --from FILE.onnx");
    }
    return fromState(await openState(path), flags);
  }
  if (flags.tables === undefined) return fromWholeOnnx(path, flags);
  return fromDenseOnnx(path, await openState(flags.tables), flags);
}

/** Opens the tensors of a file or folder, by its kind. */
async function openState(path: string): Promise<StateDict> {
  if (isFolder(path)) return openNpyFolderState(path);
  switch (extensionOf(path)) {
    case ".npz":
      return openNpzState(path);
    case ".pt":
    case ".pth":
      return openTorchState(path);
    case ".safetensors":
      return openSafetensorsState(path);
    default:
      throw new ShardpoolError(
        "FORMAT_UNSUPPORTED",
        `${path}: imports are .npz, a folder of .npy, .safetensors, .pt, .pth or .onnx`,
      );
  }
}

function extensionOf(path: string): string | undefined {
  return /\.[a-z]+$/.exec(basename(path).toLowerCase())?.[0];
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw fromFileError(error, path);
  }
}

function fromState(state: StateDict, flags: ImportFlags): ImportSource {
  try {
    // Features named in order say what the file may leave open.
    const named = nameState(flags.feature.length > 0 ? { ...state, isOrdered: true } : state);
    const dimByTable = new Map(named.tables.map(({ name, weight }) => [name, weight.shape[1]!]));
    const features = importFeatures([...dimByTable.keys()], flags);
    const dims = features.map(({ table }) => dimByTable.get(table)!);
    const weights = inferArchitecture(named, dims, flags);
    return {
      tables: named.tables,
      features,
      denseFeatureCount: weights.bottomMlp[0]!.inputWidth,
      dense: writeDenseOnnx(weights),
      weights,
      interaction: weights.interaction,
      unused: named.unused,
      close: () => state.close(),
    };
  } catch (error) {
    state.close();
    throw error;
  }
}

/** Features are what the graph looks up, so no flag names them. */
function fromWholeOnnx(path: string, flags: ImportFlags): ImportSource {
  if (flags.feature.length > 0) {
    throw new ShardpoolError("CONFIG_INVALID", "--feature: a whole-model ONNX file says it itself");
  }
  const cut = cutOnnx(decodeOnnxModel(readWhole(path), path), path);
  const names = [...new Set(cut.bags.map(({ table }) => table.name ?? ""))];
  const tableNames = new Map(names.map((name, position) => [name, `table_${position}`]));
  const tensors = new Map(cut.bags.map(({ table }) => [table.name ?? "", table]));
  const opened = names.map((name) => openOnnxTensor(tensors.get(name)!, path));
  return {
    tables: opened.map(({ tensor }, position) => ({ name: `table_${position}`, weight: tensor })),
    features: cut.bags.map(({ table, pooling }, position) => ({
      name: `feature_${position}`,
      table: tableNames.get(table.name ?? "")!,
      pooling,
    })),
    denseFeatureCount: cut.denseFeatureCount,
    dense: encodeOnnxModel(withInlineWeights(cut.dense, path)),
    interaction: "imported",
    unused: [],
    close: () => {
      for (const source of opened) source.close();
    },
  };
}

/** The dense part as exported, over tables that lie elsewhere; each tensor there is a table. */
function fromDenseOnnx(path: string, state: StateDict, flags: ImportFlags): ImportSource {
  try {
    const tables = tablesOnly(state, flags);
    const dimByTable = new Map(tables.map(({ name, weight }) => [name, weight.shape[1]!]));
    const features = importFeatures([...dimByTable.keys()], flags);
    const dims = features.map(({ table }) => dimByTable.get(table)!);
    const part = adoptDensePart(decodeOnnxModel(readWhole(path), path), dims, path);
    return {
      tables,
      features,
      denseFeatureCount: part.denseFeatureCount,
      dense: encodeOnnxModel(withInlineWeights(part.dense, path)),
      interaction: "imported",
      unused: [],
      close: () => state.close(),
    };
  } catch (error) {
    state.close();
    throw error;
  }
}

function readWhole(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw fromFileError(error, path);
  }
}
