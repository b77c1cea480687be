import { ShardpoolError } from "../../lib/errors.js";
import type { ModelManifest } from "../../lib/model/manifest.js";
import { quoted } from "./input-tensor.js";

/** The model as a request sees it. */
export interface ServedModel {
  readonly manifest: ModelManifest;
  /** Width of the `pooled` output. */
  readonly pooledWidth: number;
  /** Whether the dense part gives `logit`. */
  readonly hasLogit: boolean;
  /** Limits of one query. */
  readonly sampleCountMax: number;
  readonly valueCountMax: number;
}

export type OutputName = "probability" | "logit" | "pooled";

/** Name, datatype and shape of a tensor; -1 where the size varies. */
export interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

/** Tells the protocol's clients that answers come from this kind of server. */
export const PLATFORM = "shardpool_dlrm";

/**
 * Every input a request may have. `weights` may be left out, and `ids` stands in for `lengths` and
 * `values` when every bag is one id; the protocol has no word for that.
 */
export function inputsOf({ manifest }: ServedModel): TensorMetadata[] {
  const featureCount = manifest.features.length;
  const takesWeights = manifest.features.every(({ pooling }) => pooling === "sum");
  return [
    ...(manifest.denseFeatureCount > 0
      ? [{ name: "dense", datatype: "FP32", shape: [-1, manifest.denseFeatureCount] }]
      : []),
    { name: "lengths", datatype: "INT32", shape: [featureCount, -1] },
    { name: "values", datatype: "INT64", shape: [-1] },
    ...(takesWeights ? [{ name: "weights", datatype: "FP32", shape: [-1] }] : []),
    { name: "ids", datatype: "INT64", shape: [-1, featureCount] },
  ];
}

/** Triton's names for what goes beyond the protocol: its documents call these extensions. */
const EXTENSIONS = ["binary_tensor_data", "parameters", "schedule_policy", "statistics"];

/** `ServerMetadata`, in both protocols. */
export function serverMetadataOf(version: string) {
  return { name: "shardpool", version, extensions: EXTENSIONS };
}

/** `ModelMetadata`, in both protocols. */
export function metadataOf(model: ServedModel) {
  return {
    name: model.manifest.name,
    versions: [model.manifest.version],
    platform: PLATFORM,
    inputs: inputsOf(model),
    outputs: outputsOf(model),
  };
}

/** The outputs a client may ask for, the default first. */
export function outputsOf({ hasLogit, pooledWidth }: ServedModel): TensorMetadata[] {
  return [
    { name: "probability", datatype: "FP32", shape: [-1, 1] },
    ...(hasLogit ? [{ name: "logit", datatype: "FP32", shape: [-1, 1] }] : []),
    { name: "pooled", datatype: "FP32", shape: [-1, pooledWidth] },
  ];
}

/**
 * @param version Empty for the one being served.
 * @throws ShardpoolError MODEL_NOT_FOUND unless this is the model asked for.
 */
export function assertServed({ manifest }: ServedModel, name: string, version: string): void {
  if (name === manifest.name && (version === "" || version === manifest.version)) return;
  throw new ShardpoolError(
    "MODEL_NOT_FOUND",
    `no model ${quoted(name)}${version === "" ? "" : ` version ${quoted(version)}`}; ` +
      `${manifest.name} version ${manifest.version} is being served`,
  );
}
