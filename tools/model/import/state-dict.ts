import { ShardpoolError } from "../../../lib/errors.js";
import { toFloat32 } from "./state-float32.js";

/** Element types in which trained weights come. */
export const STATE_DTYPES = ["float32", "float16", "bfloat16", "float64"] as const;
export type StateDtype = (typeof STATE_DTYPES)[number];

export const STATE_ITEM_BYTES: Readonly<Record<StateDtype, number>> = {
  float32: 4,
  float16: 2,
  bfloat16: 2,
  float64: 8,
};

/** A named tensor of a trained model on disk: row-major, little-endian, read piece by piece. */
export interface StateTensor {
  readonly name: string;
  readonly dtype: StateDtype;
  readonly shape: readonly number[];
  /** Fills `out` with the tensor's bytes from `position` on. */
  readBytes(position: number, out: Uint8Array): void;
}

/** The tensors of a trained model, whatever kind of file holds them. Whoever opens it closes it. */
export interface StateDict {
  /** What messages call it: the path it came from. */
  readonly what: string;
  readonly tensors: ReadonlyMap<string, StateTensor>;
  /** Whether the tensors stand in the order in which they were saved, which is the model's. */
  readonly isOrdered: boolean;
  close(): void;
}

/** @throws ShardpoolError MODEL_INVALID when there is no such tensor. */
export function tensorOf(state: StateDict, name: string): StateTensor {
  const tensor = state.tensors.get(name);
  if (tensor !== undefined) return tensor;
  throw new ShardpoolError("MODEL_INVALID", `${state.what} has no tensor ${name}`);
}

/** More than any MLP layer has: a "weight" above this would be a table under a wrong name. */
const WHOLE_BYTES_MAX = 1024 ** 3;

/**
 * Reads a small tensor (an MLP layer, a vector of per-row weights) into memory as float32.
 *
 * @throws ShardpoolError LIMIT_EXCEEDED when it is too large for that.
 */
export function readTensor(tensor: StateTensor): Float32Array {
  const elementCount = elementCountOf(tensor);
  assertReadable(tensor, elementCount);
  return readTensorPart(tensor, 0, elementCount);
}

/** Reads `elementCount` elements from `start` on as float32. */
export function readTensorPart(
  { dtype, readBytes }: StateTensor,
  start: number,
  elementCount: number,
): Float32Array {
  const raw = new Uint8Array(elementCount * STATE_ITEM_BYTES[dtype]);
  readBytes(start * STATE_ITEM_BYTES[dtype], raw);
  const out = new Float32Array(elementCount);
  toFloat32(dtype, raw, out);
  return out;
}

function assertReadable(tensor: StateTensor, elementCount: number): void {
  const bytes = elementCount * STATE_ITEM_BYTES[tensor.dtype];
  if (bytes > WHOLE_BYTES_MAX) {
    throw new ShardpoolError(
      "LIMIT_EXCEEDED",
      `tensor ${tensor.name} has ${bytes} bytes; at most ${WHOLE_BYTES_MAX} are read at once`,
    );
  }
}

export function elementCountOf(tensor: Pick<StateTensor, "shape">): number {
  return tensor.shape.reduce((product, extent) => product * extent, 1);
}
