import { ShardpoolError } from "../../lib/errors.js";
import type { JaggedBatch } from "../../lib/jagged-batch.js";
import {
  type Datatype,
  type InputTensor,
  invalidInput,
  readFloats,
  readInts,
} from "./input-tensor.js";
import type { ServedModel } from "./served-model.js";

/** The samples of a query; ids have not been compared with their tables. */
export interface InferInputs {
  readonly sampleCount: number;
  /** `[B, D]`. */
  readonly denseFeatures: Float32Array;
  readonly batch: JaggedBatch;
}

const DATATYPES: Readonly<Record<string, readonly Datatype[]>> = {
  dense: ["FP32"],
  lengths: ["INT32"],
  values: ["INT64", "INT32"],
  weights: ["FP32"],
  ids: ["INT64", "INT32"],
};

type Tensors = ReadonlyMap<string, InputTensor>;

/**
 * Checks the inputs of a query against the model and against each other.
 *
 * @throws ShardpoolError REQUEST_INVALID or LIMIT_EXCEEDED naming the input and the rule.
 */
export function readInferInputs(model: ServedModel, tensors: Tensors): InferInputs {
  for (const { name, datatype } of tensors.values()) {
    const allowed = Object.hasOwn(DATATYPES, name) ? DATATYPES[name]! : undefined;
    if (!allowed) {
      throw invalidInput(name, `no such input; there are ${Object.keys(DATATYPES).join(", ")}`);
    }
    if (!allowed.includes(datatype)) {
      throw invalidInput(name, `datatype ${datatype}, must be ${allowed.join(" or ")}`);
    }
  }
  const batch = tensors.has("ids") ? readSingleHot(model, tensors) : readBags(model, tensors);
  const { sampleCount } = batch;
  return { sampleCount, denseFeatures: readDense(model, tensors, sampleCount), batch };
}

function readBags(model: ServedModel, tensors: Tensors): JaggedBatch {
  const lengthsTensor = needed(tensors, "lengths");
  const valuesTensor = needed(tensors, "values");
  const featureCount = model.manifest.features.length;
  const sampleCount = lengthsTensor.shape[1] ?? 0;
  assertShape(lengthsTensor, [featureCount, sampleCount], `[${featureCount}, samples]`);
  assertSampleCount(model, "lengths", sampleCount);
  assertShape(valuesTensor, [valuesTensor.elementCount], "[values]");
  assertValueCount(model, valuesTensor);

  const lengths = readInts(lengthsTensor);
  assertLengthsSum(lengths, valuesTensor.elementCount);
  const weights = readWeights(model, tensors, valuesTensor.elementCount);
  const values = readInts(valuesTensor);
  return { featureCount, sampleCount, lengths, values, ...(weights && { weights }) };
}

/** `ids` is [B, F], one id a bag: turned around, it is `values` with lengths of one. */
function readSingleHot(model: ServedModel, tensors: Tensors): JaggedBatch {
  for (const name of ["lengths", "values", "weights"]) {
    if (tensors.has(name)) throw invalidInput("ids", `goes without ${name}`);
  }
  const tensor = needed(tensors, "ids");
  const featureCount = model.manifest.features.length;
  const sampleCount = tensor.shape[0] ?? 0;
  assertShape(tensor, [sampleCount, featureCount], `[samples, ${featureCount}]`);
  assertSampleCount(model, "ids", sampleCount);
  assertValueCount(model, tensor);

  const ids = readInts(tensor);
  const values = new Int32Array(ids.length);
  for (let f = 0, position = 0; f < featureCount; f++) {
    for (let i = f; i < ids.length; i += featureCount) values[position++] = ids[i]!;
  }
  return { featureCount, sampleCount, lengths: new Int32Array(ids.length).fill(1), values };
}

function readDense(model: ServedModel, tensors: Tensors, sampleCount: number): Float32Array {
  const { denseFeatureCount } = model.manifest;
  if (denseFeatureCount === 0 && !tensors.has("dense")) return new Float32Array(0);
  const tensor = needed(tensors, "dense");
  assertShape(
    tensor,
    [sampleCount, denseFeatureCount],
    `[${sampleCount}, ${denseFeatureCount}] as the other inputs have it`,
  );
  const denseFeatures = readFloats(tensor);
  assertFinite("dense", denseFeatures);
  return denseFeatures;
}

function readWeights(
  model: ServedModel,
  tensors: Tensors,
  valueCount: number,
): Float32Array | undefined {
  const tensor = tensors.get("weights");
  if (!tensor) return undefined;
  const mean = model.manifest.features.find((feature) => feature.pooling === "mean");
  if (mean) throw invalidInput("weights", `feature ${mean.name} pools by mean, which takes none`);
  assertShape(tensor, [valueCount], `[${valueCount}] as values has it`);
  const weights = readFloats(tensor);
  assertFinite("weights", weights);
  return weights;
}

function needed(tensors: Tensors, name: string): InputTensor {
  const tensor = tensors.get(name);
  if (tensor) return tensor;
  throw invalidInput(name, "is missing");
}

function assertShape(tensor: InputTensor, expected: readonly number[], rule: string): void {
  const { name, shape } = tensor;
  if (shape.length === expected.length && shape.every((size, i) => size === expected[i])) return;
  throw invalidInput(name, `shape [${shape.join(", ")}], must be ${rule}`);
}

function assertSampleCount(model: ServedModel, name: string, sampleCount: number): void {
  if (sampleCount < 1) throw invalidInput(name, "a query has at least one sample");
  if (sampleCount <= model.sampleCountMax) return;
  throw new ShardpoolError(
    "LIMIT_EXCEEDED",
    `${name}: ${sampleCount} samples, a query has at most ${model.sampleCountMax}`,
  );
}

function assertValueCount(model: ServedModel, { name, elementCount }: InputTensor): void {
  if (elementCount <= model.valueCountMax) return;
  throw new ShardpoolError(
    "LIMIT_EXCEEDED",
    `${name}: ${elementCount} ids, a query has at most ${model.valueCountMax}`,
  );
}

function assertLengthsSum(lengths: Int32Array, valueCount: number): void {
  let sum = 0;
  for (let i = 0; i < lengths.length; i++) {
    if (lengths[i]! < 0) throw invalidInput("lengths", `bag ${i} has a negative length`);
    sum += lengths[i]!;
  }
  if (sum !== valueCount) {
    throw invalidInput("lengths", `they sum to ${sum}, values has ${valueCount}`);
  }
}

function assertFinite(name: string, numbers: Float32Array): void {
  for (let i = 0; i < numbers.length; i++) {
    // A difference with itself is NaN for infinities and NaN alike.
    if (numbers[i]! - numbers[i]! !== 0) {
      throw invalidInput(name, `value ${i} is ${numbers[i]}, must be finite`);
    }
  }
}
