import { ShardpoolError } from "../../../lib/errors.js";
import {
  ONNX_TYPE,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
} from "../../../lib/onnx/onnx-proto.js";
import { int64Tensor } from "../../../lib/onnx/onnx-tensor.js";
import { assertOpset, toDensePart } from "./dense-part-graph.js";
import { findBags, type OnnxBag } from "./find-bags.js";
import { neededNodes, OnnxIndex, titleOf, valuesRead } from "./onnx-graph.js";

/** A whole-model graph in two: tables, and a dense part with shardpool's inputs and outputs. */
export interface CutModel {
  /** Inputs `dense` and `pooled`, outputs `logit` (where there is one) and `probability`. */
  readonly dense: OnnxModel;
  /** In the order of the graph's id inputs, which is the order of `pooled`. */
  readonly bags: readonly OnnxBag[];
  readonly denseFeatureCount: number;
}

/** Opset from which Slice takes its bounds as inputs; the cut writes that form. */
const OPSET_VERSION_MIN = 10;

/**
 * Cuts the embedding lookups out of an exported DLRM: what computed the pooled vectors gives way to
 * columns of a new input `pooled`, and everything only they needed goes.
 *
 * @throws ShardpoolError FORMAT_UNSUPPORTED naming the node that cannot be cut, and why.
 */
export function cutOnnx(model: OnnxModel, what: string): CutModel {
  assertOpset(model, OPSET_VERSION_MIN, what);
  const index = new OnnxIndex(model.graph);
  const bags = inInputOrder(findBags(index, what), model.graph);
  const pooledWidth = bags.reduce((width, { table }) => width + table.dims[1]!, 0);
  const graph = withPooledSlices(model.graph, bags);
  const needed = neededNodes(graph);
  const denseInput = theDenseInput(model.graph, needed, what);
  const { featureCount: denseFeatureCount } = denseInput;
  const widths = { denseFeatureCount, pooledWidth };
  const dense = toDensePart({ ...model, graph }, denseInput.name, widths, what);
  return { dense, bags, denseFeatureCount };
}

function inInputOrder(bags: readonly OnnxBag[], graph: OnnxGraph): OnnxBag[] {
  const place = new Map(graph.input.map(({ name }, position) => [name, position]));
  return bags.toSorted((a, b) => place.get(a.idsInput)! - place.get(b.idsInput)!);
}

/** Puts a Slice of `pooled` in the place of each node that gave pooled vectors. */
function withPooledSlices(graph: OnnxGraph, bags: readonly OnnxBag[]): OnnxGraph {
  const cutValues = new Set(bags.map(({ pooledValue }) => pooledValue));
  const slices: OnnxNode[] = [];
  const bounds: OnnxTensor[] = [int64Tensor("shardpool.axes", [1], [1])];
  let column = 0;
  for (const [position, { pooledValue, table }] of bags.entries()) {
    const start = `shardpool.start.${position}`;
    const end = `shardpool.end.${position}`;
    bounds.push(int64Tensor(start, [1], [column]));
    column += table.dims[1]!;
    bounds.push(int64Tensor(end, [1], [column]));
    slices.push({
      opType: "Slice",
      name: `shardpool.pooled.${position}`,
      input: ["pooled", start, end, "shardpool.axes"],
      output: [pooledValue],
      attribute: [],
    });
  }
  const kept = graph.node.filter((node) => !node.output.some((value) => cutValues.has(value)));
  return {
    ...graph,
    node: [...slices, ...kept],
    initializer: [...graph.initializer, ...bounds],
  };
}

interface DenseInput {
  readonly name: string;
  readonly featureCount: number;
}

/** What is left of the inputs must be the dense features, `[B, n]` float32. */
function theDenseInput(graph: OnnxGraph, needed: readonly OnnxNode[], what: string): DenseInput {
  const index = new OnnxIndex(graph);
  const read = new Map<string, OnnxNode>();
  for (const node of needed) for (const value of valuesRead(node)) read.set(value, node);
  const left = graph.input.filter(({ name }) => index.isInput(name) && read.has(name));
  const [input, other] = left;
  if (input === undefined) {
    throw new ShardpoolError("FORMAT_UNSUPPORTED", `${what} has no input of dense features`);
  }
  if (other !== undefined) {
    throw new ShardpoolError(
      "FORMAT_UNSUPPORTED",
      `${what}: ${titleOf(read.get(other.name)!)} still reads input ${other.name} after the tables are cut out`,
    );
  }
  const type = input.type?.tensorType;
  const featureCount = type?.shape?.dim[1]?.dimValue;
  const isMatrix = type?.shape?.dim.length === 2 && featureCount !== undefined;
  if (type?.elemType !== ONNX_TYPE.float || !isMatrix) {
    throw new ShardpoolError(
      "FORMAT_UNSUPPORTED",
      `${what}: input ${input.name} must be float32 [B, n] with n stated`,
    );
  }
  return { name: input.name, featureCount };
}
