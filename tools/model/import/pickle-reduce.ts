import { ShardpoolError } from "../../../lib/errors.js";
import {
  GlobalName,
  OpaqueValue,
  type PickleValue,
  STORAGE_DTYPES,
  StorageReference,
  TensorReference,
} from "./pickle-values.js";

type Reducer = (args: readonly PickleValue[], what: string) => PickleValue;

/**
 * Everything a pickle may call, done by us and without calling anything. The list is closed: any
 * other name is refused when the pickle mentions it, before its arguments are looked at.
 */
const REDUCERS: ReadonlyMap<string, Reducer> = new Map<string, Reducer>([
  ["collections.OrderedDict", rebuildOrderedDict],
  ["torch._utils._rebuild_tensor_v2", rebuildTensor],
  ["torch._utils._rebuild_parameter", ([tensor]) => tensor ?? null],
  ["torch.Size", ([sizes]) => sizes ?? []],
  ["torch.device", () => new OpaqueValue("torch.device")],
  // numpy scalars stand in training logs inside checkpoints.
  ["numpy.dtype", () => new OpaqueValue("numpy.dtype")],
  ["numpy.core.multiarray.scalar", () => new OpaqueValue("numpy scalar")],
  ["numpy._core.multiarray.scalar", () => new OpaqueValue("numpy scalar")],
  ["_codecs.encode", () => new OpaqueValue("bytes")],
]);

/** @throws ShardpoolError FORMAT_UNSUPPORTED for a name outside the list, naming it. */
export function parseGlobal(module: string, name: string, what: string): GlobalName {
  const text = `${module}.${name}`;
  if (REDUCERS.has(text) || STORAGE_DTYPES.has(text)) return new GlobalName(text);
  throw new ShardpoolError(
    "FORMAT_UNSUPPORTED",
    `${what}: the pickle names ${text}, which is neither a tensor nor a plain container; nothing was executed`,
  );
}

/** What `REDUCE` of a listed name gives. */
export function reduceGlobal(callable: PickleValue, args: PickleValue, what: string): PickleValue {
  const reducer = callable instanceof GlobalName ? REDUCERS.get(callable.text) : undefined;
  if (reducer === undefined || !Array.isArray(args)) {
    throw new ShardpoolError("FILE_CORRUPT", `${what}: the pickle calls what cannot be called`);
  }
  return reducer(args as readonly PickleValue[], what);
}

/** torch's persistent id: ("storage", storage class, key, device, element count). */
export function parseStorage(id: PickleValue, what: string): StorageReference {
  if (Array.isArray(id)) {
    const [kind, storageClass, key, , elementCount] = id as readonly PickleValue[];
    const known = storageClass instanceof GlobalName && STORAGE_DTYPES.get(storageClass.text);
    if (kind === "storage" && known && typeof key === "string" && isCount(elementCount)) {
      return new StorageReference(key, known.dtype, known.bytes, elementCount);
    }
  }
  throw new ShardpoolError("FORMAT_UNSUPPORTED", `${what}: a persistent id is not a torch storage`);
}

function rebuildOrderedDict(args: readonly PickleValue[], what: string): PickleValue {
  const dict = new Map<PickleValue, PickleValue>();
  const [pairs] = args;
  if (pairs === undefined) return dict;
  if (!Array.isArray(pairs)) throw corruptTensor(what, "an OrderedDict is not made of pairs");
  for (const pair of pairs as readonly PickleValue[]) {
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw corruptTensor(what, "an OrderedDict is not made of pairs");
    }
    const [key, value] = pair as readonly PickleValue[];
    dict.set(key!, value!);
  }
  return dict;
}

function rebuildTensor(args: readonly PickleValue[], what: string): PickleValue {
  const [storage, offset, shape, strides] = args;
  if (!(storage instanceof StorageReference) || !isCount(offset)) {
    throw corruptTensor(what, "a tensor has no storage");
  }
  if (!isCounts(shape) || !isCounts(strides) || shape.length !== strides.length) {
    throw corruptTensor(what, `the tensor over storage ${storage.key} has no shape`);
  }
  const last = shape.reduce((sum, size, i) => sum + (size - 1) * strides[i]!, offset);
  if (shape.every((size) => size > 0) && last >= storage.elementCount) {
    throw corruptTensor(
      what,
      `the tensor over storage ${storage.key} reaches element ${last} of ${storage.elementCount}`,
    );
  }
  return new TensorReference(storage, offset, shape, strides);
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isCounts(value: PickleValue | undefined): value is readonly number[] {
  return Array.isArray(value) && value.every((item: PickleValue) => isCount(item));
}

function corruptTensor(what: string, problem: string): ShardpoolError {
  return new ShardpoolError("FILE_CORRUPT", `${what}: ${problem}`);
}
