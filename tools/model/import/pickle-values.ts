/**
 * What a restricted pickle can hold. Python's dict and OrderedDict are `Map`s, since keys need not be
 * strings; tuples and lists are arrays.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly PickleValue[]
  | PickleDict
  | StorageReference
  | TensorReference
  | GlobalName
  | OpaqueValue;

export type PickleDict = Map<PickleValue, PickleValue>;

/** A class or function that a pickle names. It is a name only: nothing is imported or called. */
export class GlobalName {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A value of a known harmless kind that no import needs, for instance a numpy scalar in a log. */
export class OpaqueValue {
  readonly kind: string;

  constructor(kind: string) {
    this.kind = kind;
  }
}

/** Element types of torch storages that hold what a model is made of. */
export const STORAGE_DTYPES: ReadonlyMap<
  string,
  { readonly dtype: string; readonly bytes: number }
> = new Map([
  ["torch.FloatStorage", { dtype: "float32", bytes: 4 }],
  ["torch.HalfStorage", { dtype: "float16", bytes: 2 }],
  ["torch.BFloat16Storage", { dtype: "bfloat16", bytes: 2 }],
  ["torch.DoubleStorage", { dtype: "float64", bytes: 8 }],
  ["torch.LongStorage", { dtype: "int64", bytes: 8 }],
  ["torch.IntStorage", { dtype: "int32", bytes: 4 }],
  ["torch.ShortStorage", { dtype: "int16", bytes: 2 }],
  ["torch.CharStorage", { dtype: "int8", bytes: 1 }],
  ["torch.ByteStorage", { dtype: "uint8", bytes: 1 }],
  ["torch.BoolStorage", { dtype: "bool", bytes: 1 }],
]);

/** A storage: the archive member `data/KEY` and what is in it. */
export class StorageReference {
  readonly key: string;
  readonly dtype: string;
  readonly elementBytes: number;
  readonly elementCount: number;

  constructor(key: string, dtype: string, elementBytes: number, elementCount: number) {
    this.key = key;
    this.dtype = dtype;
    this.elementBytes = elementBytes;
    this.elementCount = elementCount;
  }
}

/** A tensor as `torch._utils._rebuild_tensor_v2` would make it: a strided view of a storage. */
export class TensorReference {
  readonly storage: StorageReference;
  /** In elements. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(
    storage: StorageReference,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
  ) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }

  /** True for row-major data without gaps, the only layout that can be read as it lies. */
  get isContiguous(): boolean {
    let expected = 1;
    for (let i = this.shape.length - 1; i >= 0; i--) {
      if (this.shape[i] !== 1 && this.strides[i] !== expected) return false;
      expected *= this.shape[i]!;
    }
    return true;
  }
}
