import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { fromFileError, ShardpoolError } from "../../../lib/errors.js";
import type { DenseWeights, Interaction } from "../../../lib/model/dense-weights.js";
import type { ModelFeature } from "../../../lib/model/manifest.js";
import { writeDenseOnnx } from "../../../lib/onnx/dense-onnx-writer.js";
import { decodeOnnxModel, encodeOnnxModel } from "../../../lib/onnx/onnx-proto.js";
import { cutOnnx } from "./cut-onnx.js";
import { inferArchitecture } from "./infer-architecture.js";
import { openNpyFolderState, openNpzState } from "./npy-state.js";
import { openOnnxTensor } from "./onnx-tensor-source.js";
import type { StateDict } from "./state-dict.js";
import { nameState, type TableTensors } from "./state-names.js";
import { openTorchState } from "./torch-state.js";

export interface ImportFlags {
  readonly interaction: Interaction | undefined;
  readonly lossThreshold: number;
  readonly pooling: ModelFeature["pooling"];
}

/** A trained model as the importer sees it, whatever file it came from. Whoever opens it closes it. */
export interface ImportSource {
  readonly tables: readonly TableTensors[];
  /** In the order of `pooled`; `table` is a name in `tables`. */
  readonly features: readonly Pick<ModelFeature, "name" | "table" | "pooling">[];
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
 * Opens a trained model: `.npz`, a folder of `.npy`, `.pt`/`.pth` of torch.save, or `.onnx`.
 *
 * @throws ShardpoolError FORMAT_UNSUPPORTED for another kind of file; whatever the reader of the kind
 * throws.
 */
export async function openImportSource(path: string, flags: ImportFlags): Promise<ImportSource> {
  if (isFolder(path)) return fromState(openNpyFolderState(path), flags);
  const extension = /\.[a-z]+$/.exec(basename(path).toLowerCase())?.[0];
  switch (extension) {
    case ".npz":
      return fromState(await openNpzState(path), flags);
    case ".pt":
    case ".pth":
      return fromState(await openTorchState(path), flags);
    case ".onnx":
      return fromOnnx(path);
    default:
      throw new ShardpoolError(
        "FORMAT_UNSUPPORTED",
        `${path}: imports are .npz, a folder of .npy, .pt, .pth or .onnx`,
      );
  }
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
    const named = nameState(state);
    const weights = inferArchitecture(named, flags);
    return {
      tables: named.tables,
      features: named.tables.map(({ name }) => ({
        name: name.replace(/^table_/, "feature_"),
        table: name,
        pooling: flags.pooling,
      })),
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

function fromOnnx(path: string): ImportSource {
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
    dense: encodeOnnxModel(cut.dense),
    interaction: "imported",
    unused: [],
    close: () => {
      for (const source of opened) source.close();
    },
  };
}

function readWhole(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw fromFileError(error, path);
  }
}
