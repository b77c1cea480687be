import { ShardpoolError } from "../errors.js";
import {
  type CrossLayer,
  type DenseWeights,
  findWeightsProblem,
  INTERACTIONS,
  type LinearLayer,
} from "../model/dense-weights.js";
import { DENSE_METADATA } from "./dense-onnx-writer.js";
import { decodeOnnxModel, type OnnxModel, type OnnxTensor } from "./onnx-proto.js";
import { readFloats } from "./onnx-tensor.js";

/**
 * The weights that `writeDenseOnnx()` put into a file, bit for bit.
 *
 * @param what Names the file in the error.
 * @throws ShardpoolError FORMAT_UNSUPPORTED for a graph from elsewhere, FILE_CORRUPT for no ONNX file
 * or tensors of the wrong size, MODEL_INVALID for weights that do not fit together.
 */
export function readDenseWeights(onnxBytes: Uint8Array, what = "dense.onnx"): DenseWeights {
  const model = decodeOnnxModel(onnxBytes, what);
  const metadata = readMetadata(model, what);
  const tensors = new Map(model.graph.initializer.map((tensor) => [tensor.name ?? "", tensor]));
  const crossLayers = readCrossLayers(tensors, what);
  const weights: DenseWeights = {
    ...metadata,
    bottomMlp: readMlp(tensors, "bottom", what),
    topMlp: readMlp(tensors, "top", what),
    ...(crossLayers.length === 0 ? {} : { crossLayers }),
  };
  const problem = findWeightsProblem(weights);
  if (problem !== undefined) throw new ShardpoolError("MODEL_INVALID", `${what}: ${problem}`);
  return weights;
}

function readMetadata(
  model: OnnxModel,
  what: string,
): Pick<DenseWeights, "interaction" | "embeddingDims" | "lossThreshold"> {
  const valueByKey = new Map(model.metadataProps.map(({ key, value }) => [key, value]));
  const name = valueByKey.get(DENSE_METADATA.interaction);
  const interaction = INTERACTIONS.find((known) => known === name);
  if (interaction === undefined) {
    throw new ShardpoolError(
      "FORMAT_UNSUPPORTED",
      `${what}: weights are read from graphs that shardpool wrote; metadata ${DENSE_METADATA.interaction} is ${name ?? "absent"}`,
    );
  }
  const lossThreshold = Number(valueByKey.get(DENSE_METADATA.lossThreshold) ?? 0);
  const dims = valueByKey.get(DENSE_METADATA.embeddingDims) ?? "";
  return {
    interaction,
    embeddingDims: dims.split(",").map(Number),
    ...(lossThreshold === 0 ? {} : { lossThreshold }),
  };
}

function readMlp(
  tensors: ReadonlyMap<string, OnnxTensor>,
  name: "bottom" | "top",
  what: string,
): LinearLayer[] {
  const layers: LinearLayer[] = [];
  for (;;) {
    const weight = tensors.get(`${name}.${layers.length}.weight`);
    const bias = tensors.get(`${name}.${layers.length}.bias`);
    if (weight === undefined || bias === undefined) return layers;
    const [outputWidth = 0, inputWidth = 0] = weight.dims;
    layers.push({
      inputWidth,
      outputWidth,
      weight: readFloats(weight, what),
      bias: readFloats(bias, what),
    });
  }
}

function readCrossLayers(tensors: ReadonlyMap<string, OnnxTensor>, what: string): CrossLayer[] {
  const layers: CrossLayer[] = [];
  for (;;) {
    const [v, w, bias] = ["v", "w", "bias"].map((part) =>
      tensors.get(`cross.${layers.length}.${part}`),
    );
    if (v === undefined || w === undefined || bias === undefined) return layers;
    layers.push({
      rank: v.dims[0] ?? 0,
      v: readFloats(v, what),
      w: readFloats(w, what),
      bias: readFloats(bias, what),
    });
  }
}
