import type { OnnxGraph, OnnxNode, OnnxTensor } from "../../../lib/onnx/onnx-proto.js";

/** An ONNX graph with its values looked up by name. */
export class OnnxIndex {
  readonly graph: OnnxGraph;
  readonly #producerByValue = new Map<string, OnnxNode>();
  readonly #initializerByName = new Map<string, OnnxTensor>();
  readonly #inputNames: ReadonlySet<string>;

  constructor(graph: OnnxGraph) {
    this.graph = graph;
    for (const node of graph.node) {
      for (const value of node.output) this.#producerByValue.set(value, node);
    }
    for (const tensor of graph.initializer) this.#initializerByName.set(tensor.name ?? "", tensor);
    // Older exports list initialisers among the inputs too.
    this.#inputNames = new Set(
      graph.input.map(({ name }) => name).filter((name) => !this.#initializerByName.has(name)),
    );
  }

  /** The node that computes a value. */
  producerOf(value: string | undefined): OnnxNode | undefined {
    return value === undefined ? undefined : this.#producerByValue.get(value);
  }

  initializerOf(name: string | undefined): OnnxTensor | undefined {
    return name === undefined ? undefined : this.#initializerByName.get(name);
  }

  /** True for what a caller of the graph brings. */
  isInput(name: string | undefined): boolean {
    return name !== undefined && this.#inputNames.has(name);
  }
}

/** How a node is called in messages. */
export function titleOf(node: OnnxNode): string {
  const name = node.name || node.output[0] || "without a name";
  return `${node.opType} node ${name}`;
}

/** An attribute's integer, or what ONNX takes when it is not there. */
export function intAttribute(node: OnnxNode, name: string, otherwise: number): number {
  return node.attribute.find((attribute) => attribute.name === name)?.i ?? otherwise;
}

/** Every value a node reads, those of the graphs inside it included. */
export function valuesRead(node: OnnxNode): string[] {
  const inner = node.attribute.flatMap(({ g }) => (g === undefined ? [] : g.node));
  return [...node.input.filter((value) => value !== ""), ...inner.flatMap(valuesRead)];
}

/** The nodes that the graph's outputs depend on, in the graph's order. */
export function neededNodes(graph: OnnxGraph): OnnxNode[] {
  const wanted = new Set(graph.output.map(({ name }) => name));
  const needed: OnnxNode[] = [];
  // Nodes stand in an order in which they can run, so one walk from the end finds everything.
  for (const node of graph.node.toReversed()) {
    if (!node.output.some((value) => wanted.has(value))) continue;
    needed.push(node);
    for (const value of valuesRead(node)) wanted.add(value);
  }
  return needed.reverse();
}
