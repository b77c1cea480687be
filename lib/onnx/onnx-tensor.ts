import { ShardpoolError } from "../errors.js";
import { ONNX_TYPE, type OnnxTensor } from "./onnx-proto.js";

/** A tensor that nodes read by its name. */
export type NamedTensor = OnnxTensor & { readonly name: string };

/** A float32 tensor, row-major. The bytes of `values` are copied. */
export function floatTensor(
  name: string,
  dims: readonly number[],
  values: Float32Array,
): NamedTensor {
  return { name, dims, dataType: ONNX_TYPE.float, rawData: bytesOf(values) };
}

/** An int64 tensor, row-major, from whole numbers. */
export function int64Tensor(
  name: string,
  dims: readonly number[],
  values: readonly number[],
): NamedTensor {
  const wide = BigInt64Array.from(values, (value) => BigInt(value));
  return { name, dims, dataType: ONNX_TYPE.int64, rawData: bytesOf(wide) };
}

/**
 * The elements of a float32 tensor, from either place ONNX keeps them inside the file.
 *
 * @param what Names the file in the error.
 * @throws ShardpoolError FORMAT_UNSUPPORTED for another type, FILE_CORRUPT when the number of elements
 * is not what the dimensions say.
 */
export function readFloats(tensor: OnnxTensor, what: string): Float32Array {
  if (tensor.dataType !== ONNX_TYPE.float || tensor.dataLocation === 1) {
    throw new ShardpoolError(
      "FORMAT_UNSUPPORTED",
      `${what}: tensor ${tensor.name} is not float32 inside the file (type ${tensor.dataType})`,
    );
  }
  const values = tensor.rawData?.length
    ? new Float32Array(copyAligned(tensor.rawData))
    : Float32Array.from(tensor.floatData ?? []);
  const count = tensor.dims.reduce((product, size) => product * size, 1);
  if (values.length !== count) {
    throw new ShardpoolError(
      "FILE_CORRUPT",
      `${what}: tensor ${tensor.name} has ${values.length} elements, its shape wants ${count}`,
    );
  }
  return values;
}

function bytesOf(values: Float32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice();
}

function copyAligned(bytes: Uint8Array): ArrayBuffer {
  const copy = new ArrayBuffer(bytes.length - (bytes.length % 4));
  new Uint8Array(copy).set(bytes.subarray(0, copy.byteLength));
  return copy;
}
