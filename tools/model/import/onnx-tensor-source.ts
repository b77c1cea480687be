import { dirname, isAbsolute, join, normalize } from "node:path";
import { ShardpoolError } from "../../../lib/errors.js";
import { FileRegion } from "../../../lib/npy/file-region.js";
import { ONNX_TYPE, type OnnxModel, type OnnxTensor } from "../../../lib/onnx/onnx-proto.js";
import {
  elementCountOf,
  STATE_ITEM_BYTES,
  type StateDtype,
  type StateTensor,
} from "./state-dict.js";

const STATE_DTYPE_BY_ONNX: ReadonlyMap<number, StateDtype> = new Map([
  [ONNX_TYPE.float, "float32"],
  [ONNX_TYPE.float16, "float16"],
  [ONNX_TYPE.double, "float64"],
]);

/** More than any layer of a dense part has. */
const INLINE_BYTES_MAX = 1024 ** 3;

/** `TensorProto.DataLocation.EXTERNAL`. */
const EXTERNAL = 1;

/** A tensor of an ONNX file and what must be closed after reading it. */
export interface OnnxTensorSource {
  readonly tensor: StateTensor;
  close(): void;
}

/**
 * Opens an initialiser for reading piece by piece: from the ONNX file itself, or from the file beside
 * it that holds external data.
 *
 * @param onnxPath Where the ONNX file lies; external files must lie in its folder or below.
 * @throws ShardpoolError FORMAT_UNSUPPORTED for a type that weights do not have, FILE_CORRUPT when
 * bytes are missing or the external file's path leads out of the folder.
 */
export function openOnnxTensor(source: OnnxTensor, onnxPath: string): OnnxTensorSource {
  const name = source.name ?? "";
  const dtype = STATE_DTYPE_BY_ONNX.get(source.dataType);
  if (dtype === undefined) {
    throw new ShardpoolError(
      "FORMAT_UNSUPPORTED",
      `${onnxPath}: tensor ${name} has type ${source.dataType}; weights are float32, float16 or float64`,
    );
  }
  const shape = source.dims;
  const bytes = elementCountOf({ shape }) * STATE_ITEM_BYTES[dtype];
  if (source.dataLocation === EXTERNAL) {
    const file = openExternal(source, onnxPath, bytes);
    const readBytes = (position: number, out: Uint8Array): void => file.read(position, out);
    return { tensor: { name, dtype, shape, readBytes }, close: () => file.close() };
  }
  const data = inlineBytes(source, dtype);
  if (data.length !== bytes) {
    throw new ShardpoolError(
      "FILE_CORRUPT",
      `${onnxPath}: tensor ${name} has ${data.length} bytes, its shape [${shape.join(", ")}] wants ${bytes}`,
    );
  }
  const readBytes = (position: number, out: Uint8Array): void =>
    out.set(data.subarray(position, position + out.length));
  return { tensor: { name, dtype, shape, readBytes }, close: () => {} };
}

/**
 * A dense part whose weights are all inside it, whatever file they came from: what lies beside the
 * imported file does not lie beside the model's.
 *
 * @throws ShardpoolError as `openOnnxTensor`; LIMIT_EXCEEDED for a tensor no dense part has.
 */
export function withInlineWeights(model: OnnxModel, onnxPath: string): OnnxModel {
  const initializer = model.graph.initializer.map((tensor) =>
    tensor.dataLocation === EXTERNAL ? inlined(tensor, onnxPath) : tensor,
  );
  return { ...model, graph: { ...model.graph, initializer } };
}

function inlined(source: OnnxTensor, onnxPath: string): OnnxTensor {
  const { tensor, close } = openOnnxTensor(source, onnxPath);
  try {
    const bytes = elementCountOf(tensor) * STATE_ITEM_BYTES[tensor.dtype];
    if (bytes > INLINE_BYTES_MAX) {
      throw new ShardpoolError(
        "LIMIT_EXCEEDED",
        `${onnxPath}: tensor ${tensor.name} has ${bytes} bytes; at most ${INLINE_BYTES_MAX} of the dense part are read at once`,
      );
    }
    const rawData = new Uint8Array(bytes);
    tensor.readBytes(0, rawData);
    const { name, dims, dataType } = source;
    return { ...(name === undefined ? {} : { name }), dims, dataType, rawData };
  } finally {
    close();
  }
}

function inlineBytes(source: OnnxTensor, dtype: StateDtype): Uint8Array {
  if (source.rawData !== undefined && source.rawData.length > 0) return source.rawData;
  if (dtype === "float32") return bytesOf(Float32Array.from(source.floatData ?? []));
  if (dtype === "float64") return bytesOf(Float64Array.from(source.doubleData ?? []));
  // float16 without raw data stands as its bits in int32_data.
  return bytesOf(Uint16Array.from(source.int32Data ?? []));
}

function bytesOf(values: Float32Array | Float64Array | Uint16Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function openExternal(source: OnnxTensor, onnxPath: string, bytes: number): FileRegion {
  const entries = new Map((source.externalData ?? []).map(({ key, value }) => [key, value]));
  const location = normalize(entries.get("location") ?? "");
  if (location === "." || isAbsolute(location) || location.split(/[\\/]/).includes("..")) {
    throw new ShardpoolError(
      "FILE_CORRUPT",
      `${onnxPath}: tensor ${source.name} lies in ${location}, which is not a file beside the model`,
    );
  }
  const offset = parseSize(entries.get("offset") ?? "0");
  const length = parseSize(entries.get("length") ?? String(bytes));
  if (offset === undefined || length !== bytes) {
    throw new ShardpoolError(
      "FILE_CORRUPT",
      `${onnxPath}: tensor ${source.name} has ${entries.get("length")} bytes from ${entries.get("offset")} in ${location}, its shape wants ${bytes}`,
    );
  }
  return FileRegion.open(join(dirname(onnxPath), location), { offset, bytes });
}

function parseSize(text: string): number | undefined {
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
