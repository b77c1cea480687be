/**
 * int64 values as int32. The same memory is read as pairs of int32, low word first: a BigInt a value
 * costs more than pooling the row it names (26 against 3.3 ns).
 *
 * @param refuse Makes what is thrown for a value that is negative or above 2^31 - 1.
 */
export function narrowInts(wide: BigInt64Array | BigUint64Array, refuse: () => Error): Int32Array {
  const words = new Int32Array(wide.buffer, wide.byteOffset, wide.length * 2);
  const narrow = new Int32Array(wide.length);
  // One test behind the loop instead of one a value.
  let spill = 0;
  for (let i = 0; i < narrow.length; i++) {
    const low = words[2 * i]!;
    spill |= words[2 * i + 1]! | (low & 0x80000000);
    narrow[i] = low;
  }
  if (spill !== 0) throw refuse();
  return narrow;
}

/** int64 values as float64; exact up to 2^53. */
export function wideToFloats(wide: BigInt64Array): Float64Array {
  const words = new Int32Array(wide.buffer, wide.byteOffset, wide.length * 2);
  const floats = new Float64Array(wide.length);
  for (let i = 0; i < floats.length; i++) {
    floats[i] = words[2 * i + 1]! * 4294967296 + (words[2 * i]! >>> 0);
  }
  return floats;
}
