import { ShardpoolError } from "../../../lib/errors.js";
import type { OnnxGraph, OnnxNode, OnnxTensor } from "../../../lib/onnx/onnx-proto.js";
import { intAttribute, OnnxIndex, titleOf, valuesRead } from "./onnx-graph.js";

/** Where a graph looks up and pools the rows of one sparse feature. */
export interface OnnxBag {
  /** The value that holds the pooled vectors, `[B, embeddingDim]`. */
  readonly pooledValue: string;
  /** The table, `[rowCount, embeddingDim]`. */
  readonly table: OnnxTensor;
  /** The graph's input with the feature's row ids. */
  readonly idsInput: string;
  readonly pooling: "sum" | "mean";
}

/**
 * Finds the embedding lookups of an exported DLRM:
 *
 * - PyTorch's export of `EmbeddingBag`: a Loop over the bags whose body gathers a slice of the ids
 *   from the table and reduces the rows (ReduceSum or ReduceMean over axis 0);
 * - a Gather of single-hot ids `[B]` from a table, straight from an input of the graph.
 *
 * @throws ShardpoolError FORMAT_UNSUPPORTED for a table that is read in another way, naming the node.
 */
export function findBags(index: OnnxIndex, what: string): OnnxBag[] {
  const bags: OnnxBag[] = [];
  for (const node of index.graph.node) {
    const bag = node.opType === "Loop" ? loopBag(node, index, what) : gatherBag(node, index);
    if (bag !== undefined) bags.push(bag);
  }
  if (bags.length === 0) {
    throw new ShardpoolError(
      "FORMAT_UNSUPPORTED",
      `${what} looks up no embedding tables: no Gather, and no EmbeddingBag loop, over an initialiser`,
    );
  }
  assertNoOtherReaders(index, bags, what);
  return bags;
}

function gatherBag(node: OnnxNode, index: OnnxIndex): OnnxBag | undefined {
  const [data, ids] = node.input;
  const table = index.initializerOf(data);
  const isLookup = node.opType === "Gather" && intAttribute(node, "axis", 0) === 0;
  if (!isLookup || table?.dims.length !== 2 || !index.isInput(ids)) return undefined;
  if (rankOfInput(index.graph, ids!) !== 1) return undefined;
  return { pooledValue: node.output[0]!, table, idsInput: ids!, pooling: "sum" };
}

function rankOfInput(graph: OnnxGraph, name: string): number | undefined {
  return graph.input.find((input) => input.name === name)?.type?.tensorType?.shape?.dim.length;
}

/** Reads an EmbeddingBag loop from its result back to the table; see `findBags`. */
function loopBag(loop: OnnxNode, outer: OnnxIndex, what: string): OnnxBag | undefined {
  const body = loop.attribute.find(({ name }) => name === "body")?.g;
  if (body === undefined) return undefined;
  const inner = new OnnxIndex(body);
  const reduce = inner.producerOf(body.output.at(-1)?.name);
  const pooling = POOLING_BY_OPERATOR[reduce?.opType ?? ""];
  if (reduce === undefined || pooling === undefined) return undefined;
  const gather = inner.producerOf(reduce.input[0]);
  if (gather?.opType !== "Gather") {
    if (gather?.opType !== "Mul") return undefined;
    throw new ShardpoolError(
      "FORMAT_UNSUPPORTED",
      `${what}: ${titleOf(loop)} multiplies rows by weights (${titleOf(gather)}); import the state dict instead, which folds them into the rows`,
    );
  }
  const table = outer.initializerOf(gather.input[0]);
  const slice = inner.producerOf(gather.input[1]);
  const idsInput = slice?.opType === "Slice" ? slice.input[0] : undefined;
  if (table === undefined || !outer.isInput(idsInput)) return undefined;
  return { pooledValue: loop.output.at(-1)!, table, idsInput: idsInput!, pooling };
}

const POOLING_BY_OPERATOR: Readonly<Record<string, "sum" | "mean">> = {
  ReduceSum: "sum",
  ReduceMean: "mean",
};

/** A table that is also read in a way that is not understood would be lost with the cut. */
function assertNoOtherReaders(index: OnnxIndex, bags: readonly OnnxBag[], what: string): void {
  const tables = new Set(bags.map(({ table }) => table.name));
  const understood = new Set(bags.map(({ pooledValue }) => index.producerOf(pooledValue)));
  for (const node of index.graph.node) {
    if (understood.has(node)) continue;
    const name = valuesRead(node).find((value) => tables.has(value));
    if (name === undefined) continue;
    throw new ShardpoolError(
      "FORMAT_UNSUPPORTED",
      `${what}: ${titleOf(node)} reads table ${name} in a way that cannot be cut out`,
    );
  }
}
