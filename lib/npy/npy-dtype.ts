/**
 * The element types of .npy files that are read and written here: little-endian numbers. float16 has
 * no typed array of its own and stands as its bits; see `lib/model/float16.ts`.
 */
export const NPY_DTYPES = ["<f2", "<f4", "<f8", "|i1", "|u1", "<i4", "<u4", "<i8"] as const;
export type NpyDtype = (typeof NPY_DTYPES)[number];

const ARRAY_BY_DTYPE = {
  "<f2": Uint16Array,
  "<f4": Float32Array,
  "<f8": Float64Array,
  "|i1": Int8Array,
  "|u1": Uint8Array,
  "<i4": Int32Array,
  "<u4": Uint32Array,
  "<i8": BigInt64Array,
} as const satisfies Readonly<Record<NpyDtype, unknown>>;

/** The typed array that holds elements of a dtype. */
export type NpyData<D extends NpyDtype> = NpyDataByDtype[D];

interface NpyDataByDtype {
  readonly "<f2": Uint16Array;
  readonly "<f4": Float32Array;
  readonly "<f8": Float64Array;
  readonly "|i1": Int8Array;
  readonly "|u1": Uint8Array;
  readonly "<i4": Int32Array;
  readonly "<u4": Uint32Array;
  readonly "<i8": BigInt64Array;
}

/** An array in memory, row-major: the last index of `shape` varies fastest. */
export interface NpyArrayOf<D extends NpyDtype> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: NpyData<D>;
}

/** An array of any dtype; narrow it by `dtype`. */
export type NpyArray = { [D in NpyDtype]: NpyArrayOf<D> }[NpyDtype];

/** Bytes of one element. */
export function itemBytesOf(dtype: NpyDtype): number {
  return ARRAY_BY_DTYPE[dtype].BYTES_PER_ELEMENT;
}

/** Number of elements of a shape; 1 for a scalar's empty shape. */
export function elementCountOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/**
 * Wraps typed data as an array, without a copy.
 *
 * @throws RangeError when the data has not as many elements as the shape.
 */
export function npyArray<D extends NpyDtype>(
  dtype: D,
  shape: readonly number[],
  data: NpyData<D>,
): NpyArrayOf<D> {
  if (data.length !== elementCountOf(shape)) {
    throw new RangeError(`shape [${shape.join(", ")}] does not hold ${data.length} elements`);
  }
  return { dtype, shape, data };
}

/** Allocates zeros of the shape. */
export function zerosOf(dtype: NpyDtype, shape: readonly number[]): NpyArray {
  // The table above pairs each dtype with its array, which the type of a lookup by union loses.
  const data = new ARRAY_BY_DTYPE[dtype](elementCountOf(shape));
  return { dtype, shape, data } as NpyArray;
}

/** The memory of an array as bytes, without a copy. */
export function bytesOf(data: NpyData<NpyDtype>): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
