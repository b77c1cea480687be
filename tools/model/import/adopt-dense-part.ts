import { ShardpoolError } from "../../../lib/errors.js";
import {
  ONNX_TYPE,
  type OnnxGraph,
  type OnnxModel,
  type OnnxValueInfo,
} from "../../../lib/onnx/onnx-proto.js";
import { int64Tensor } from "../../../lib/onnx/onnx-tensor.js";
import { assertOpset, toDensePart } from "./dense-part-graph.js";
import { OnnxIndex } from "./onnx-graph.js";

export interface AdoptedDensePart {
  readonly dense: OnnxModel;
  readonly denseFeatureCount: number;
}

/** Opset from which Reshape takes its shape as an input. */
const OPSET_VERSION_MIN = 5;

interface FloatInput {
  readonly name: string;
  /** Extents after the batch. */
  readonly extents: readonly number[];
}

/**
 * A dense part that was exported on its own, with shardpool's inputs: dense features `[B, n]`, and
 * pooled vectors as `[B, ΣE]` or `[B, F, E]`, whatever they are called.
 *
 * @param embeddingDims Of each feature, in the order of the pooled vectors.
 * @throws ShardpoolError FORMAT_UNSUPPORTED when the inputs are others, with their shapes.
 */
export function adoptDensePart(
  model: OnnxModel,
  embeddingDims: readonly number[],
  what: string,
): AdoptedDensePart {
  assertOpset(model, OPSET_VERSION_MIN, what);
  const inputs = floatInputs(model.graph, what);
  const pooled = thePooledInput(inputs, embeddingDims, what);
  const dense = inputs.find((input) => input !== pooled)!;
  // The new input takes the name "pooled", so nothing else can have it.
  if (dense.extents.length !== 1 || dense.name === "pooled")
    throw otherInputs(inputs, embeddingDims, what);
  const denseFeatureCount = dense.extents[0]!;
  const pooledWidth = embeddingDims.reduce((sum, dim) => sum + dim, 0);
  const graph = withPooledInput(model.graph, pooled);
  const widths = { denseFeatureCount, pooledWidth };
  return { dense: toDensePart({ ...model, graph }, dense.name, widths, what), denseFeatureCount };
}

function floatInputs(graph: OnnxGraph, what: string): readonly FloatInput[] {
  const index = new OnnxIndex(graph);
  const inputs = graph.input.filter(({ name }) => index.isInput(name));
  if (inputs.length === 2) return inputs.map((input) => toFloatInput(input, what));
  throw new ShardpoolError(
    "FORMAT_UNSUPPORTED",
    `${what} has inputs ${inputs.map(({ name }) => name).join(", ")}; a dense part has two: dense features and pooled vectors`,
  );
}

function toFloatInput({ name, type }: OnnxValueInfo, what: string): FloatInput {
  const dims = type?.tensorType?.shape?.dim ?? [];
  const extents = dims.slice(1).map(({ dimValue }) => dimValue ?? 0);
  const isKnown = extents.length > 0 && extents.every((extent) => extent > 0);
  if (type?.tensorType?.elemType === ONNX_TYPE.float && isKnown) return { name, extents };
  throw new ShardpoolError(
    "FORMAT_UNSUPPORTED",
    `${what}: input ${name} must be float32 with every extent but the batch stated`,
  );
}

/** By its shape; where both inputs could be it, by its name. */
function thePooledInput(
  inputs: readonly FloatInput[],
  embeddingDims: readonly number[],
  what: string,
): FloatInput {
  const fitting = inputs.filter((input) => isPooled(input, embeddingDims));
  const chosen =
    fitting.length > 1 ? fitting.filter(({ name }) => /pool|emb/i.test(name)) : fitting;
  const [pooled, other] = chosen;
  if (pooled === undefined || other !== undefined) throw otherInputs(inputs, embeddingDims, what);
  return pooled;
}

function isPooled({ extents }: FloatInput, embeddingDims: readonly number[]): boolean {
  const [first, second] = extents;
  if (extents.length === 1) return first === embeddingDims.reduce((sum, dim) => sum + dim, 0);
  return (
    extents.length === 2 &&
    first === embeddingDims.length &&
    embeddingDims.every((dim) => dim === second)
  );
}

function otherInputs(
  inputs: readonly FloatInput[],
  embeddingDims: readonly number[],
  what: string,
): ShardpoolError {
  const shapes = inputs.map(({ name, extents }) => `${name} [B, ${extents.join(", ")}]`);
  const width = embeddingDims.reduce((sum, dim) => sum + dim, 0);
  return new ShardpoolError(
    "FORMAT_UNSUPPORTED",
    `${what} has inputs ${shapes.join(" and ")}; for these ${embeddingDims.length} features one must be pooled vectors [B, ${width}] ` +
      "(or [B, features, dim]) and the other dense features [B, n]",
  );
}

/** What read the pooled vectors reads the new input, brought into their shape. */
function withPooledInput(graph: OnnxGraph, { name, extents }: FloatInput): OnnxGraph {
  const shape = int64Tensor("shardpool.pooledShape", [extents.length + 1], [-1, ...extents]);
  const reshape = {
    opType: "Reshape",
    name: "shardpool.pooled",
    input: ["pooled", shape.name],
    output: [name === "pooled" ? "shardpool.pooledRows" : name],
    attribute: [],
  };
  const node =
    name === "pooled"
      ? graph.node.map((reader) => ({
          ...reader,
          input: reader.input.map((value) => (value === name ? "shardpool.pooledRows" : value)),
        }))
      : graph.node;
  return {
    ...graph,
    input: graph.input.filter((input) => input.name !== name),
    node: [reshape, ...node],
    initializer: [...graph.initializer, shape],
  };
}
