import { ShardpoolError } from "../../../lib/errors.js";
import {
  ONNX_TYPE,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValueInfo,
} from "../../../lib/onnx/onnx-proto.js";
import { neededNodes, OnnxIndex, valuesRead } from "./onnx-graph.js";

/**
 * A graph that reads `pooled` already, as shardpool's dense part: inputs `dense` and `pooled`, outputs
 * `logit` (where a Sigmoid shows it) and `probability`, and no node that these do not need.
 *
 * @param denseInput What the graph calls the dense features.
 * @throws ShardpoolError FORMAT_UNSUPPORTED when it has not exactly one output.
 */
export function toDensePart(
  model: OnnxModel,
  denseInput: string,
  { denseFeatureCount, pooledWidth }: { denseFeatureCount: number; pooledWidth: number },
  what: string,
): OnnxModel {
  const { graph } = model;
  const needed = neededNodes(graph);
  const output = theOutput(graph, what);
  const logit = logitOf(output, new OnnxIndex(graph));
  const names = new Map([
    [denseInput, "dense"],
    [output, "probability"],
    ...(logit === undefined ? [] : [[logit, "logit"] as const]),
  ]);
  return {
    ...model,
    graph: {
      name: "shardpool",
      node: needed.map((node) => renameValues(node, names)),
      initializer: readInitializers(graph, needed),
      input: [matrixInfo("dense", denseFeatureCount), matrixInfo("pooled", pooledWidth)],
      output: [
        ...(logit === undefined ? [] : [matrixInfo("logit", 1)]),
        matrixInfo("probability", 1),
      ],
    },
  };
}

/** @throws ShardpoolError FORMAT_UNSUPPORTED for a graph of older operators than the cut writes. */
export function assertOpset(model: OnnxModel, versionMin: number, what: string): void {
  const version = model.opsetImport.find(({ domain }) => (domain ?? "") === "")?.version ?? 1;
  if (version >= versionMin) return;
  throw new ShardpoolError(
    "FORMAT_UNSUPPORTED",
    `${what} uses opset ${version}; export it with opset ${versionMin} or newer`,
  );
}

function theOutput(graph: OnnxGraph, what: string): string {
  const [output, other] = graph.output;
  if (output !== undefined && other === undefined) return output.name;
  throw new ShardpoolError(
    "FORMAT_UNSUPPORTED",
    `${what} has ${graph.output.length} outputs, must have one: the click probability`,
  );
}

/** What the final Sigmoid reads, also below a clamp of the probability. */
function logitOf(output: string, index: OnnxIndex): string | undefined {
  let node = index.producerOf(output);
  while (node !== undefined && PASSES_PROBABILITY.has(node.opType)) {
    node = index.producerOf(node.input[0]);
  }
  return node?.opType === "Sigmoid" ? node.input[0] : undefined;
}

const PASSES_PROBABILITY = new Set(["Clip", "Min", "Max", "Identity"]);

function readInitializers(graph: OnnxGraph, needed: readonly OnnxNode[]): OnnxTensor[] {
  const read = new Set(needed.flatMap(valuesRead));
  return graph.initializer.filter(({ name }) => read.has(name ?? ""));
}

function renameValues(node: OnnxNode, names: ReadonlyMap<string, string>): OnnxNode {
  const rename = (value: string): string => names.get(value) ?? value;
  return { ...node, input: node.input.map(rename), output: node.output.map(rename) };
}

function matrixInfo(name: string, width: number): OnnxValueInfo {
  const shape = { dim: [{ dimParam: "B" }, { dimValue: width }] };
  return { name, type: { tensorType: { elemType: ONNX_TYPE.float, shape } } };
}
