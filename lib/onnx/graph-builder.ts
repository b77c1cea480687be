import {
  encodeOnnxModel,
  ONNX_ATTRIBUTE,
  ONNX_TYPE,
  type OnnxAttribute,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValueInfo,
} from "./onnx-proto.js";
import type { NamedTensor } from "./onnx-tensor.js";

/** Operators as of 2020, which every runtime in use has. */
const OPSET_VERSION = 13;
/** The file format of that time. */
const IR_VERSION = 8;

const PRODUCER = "shardpool";

/** Collects the nodes of one ONNX graph, in the order in which they run. */
export class GraphBuilder {
  readonly #nodes: OnnxNode[] = [];
  readonly #constants: OnnxTensor[] = [];
  readonly #inputs: OnnxValueInfo[] = [];
  readonly #outputs: OnnxValueInfo[] = [];

  /** Adds a float32 input of shape `[B, width]`. */
  addInput(name: string, width: number): string {
    this.#inputs.push(matrixInfo(name, width));
    return name;
  }

  /** Names a value that was added as an output of shape `[B, width]`. */
  addOutput(name: string, width: number): void {
    this.#outputs.push(matrixInfo(name, width));
  }

  /** Adds a constant and returns its name. */
  addConstant(tensor: NamedTensor): string {
    this.#constants.push(tensor);
    return tensor.name;
  }

  /**
   * Adds an operator with one output and returns the output's name, which is the node's name too.
   * An attribute is an integer or a list of integers.
   */
  addNode(
    opType: string,
    name: string,
    input: readonly string[],
    attributes: Readonly<Record<string, number | readonly number[]>> = {},
  ): string {
    const attribute = Object.entries(attributes).map(([key, value]) => toAttribute(key, value));
    this.#nodes.push({ opType, name, input, output: [name], attribute });
    return name;
  }

  /** The graph as an ONNX file, `metadata` with it. */
  encode(graphName: string, metadata: Readonly<Record<string, string>>): Uint8Array {
    return encodeOnnxModel({
      irVersion: IR_VERSION,
      opsetImport: [{ domain: "", version: OPSET_VERSION }],
      producerName: PRODUCER,
      graph: {
        name: graphName,
        node: this.#nodes,
        initializer: this.#constants,
        input: this.#inputs,
        output: this.#outputs,
      },
      metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    });
  }
}

function matrixInfo(name: string, width: number): OnnxValueInfo {
  const shape = { dim: [{ dimParam: "B" }, { dimValue: width }] };
  return { name, type: { tensorType: { elemType: ONNX_TYPE.float, shape } } };
}

function toAttribute(name: string, value: number | readonly number[]): OnnxAttribute {
  return typeof value === "number"
    ? { name, type: ONNX_ATTRIBUTE.int, i: value }
    : { name, type: ONNX_ATTRIBUTE.ints, ints: value };
}
