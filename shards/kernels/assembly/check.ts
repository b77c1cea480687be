// Largest of `count` unsigned 32-bit integers, 0 of none: one pass that proves all ids in range.
export function maxUint32(valuesPtr: usize, count: i32): u32 {
  let lanes = i32x4.splat(0);
  const end = valuesPtr + (<usize>count << 2);
  const vectorEnd = valuesPtr + ((<usize>count & ~3) << 2);
  let ptr = valuesPtr;
  for (; ptr < vectorEnd; ptr += 16) lanes = i32x4.max_u(lanes, v128.load(ptr));
  let largest = max(
    max(<u32>i32x4.extract_lane(lanes, 0), <u32>i32x4.extract_lane(lanes, 1)),
    max(<u32>i32x4.extract_lane(lanes, 2), <u32>i32x4.extract_lane(lanes, 3)),
  );
  for (; ptr < end; ptr += 4) largest = max(largest, load<u32>(ptr));
  return largest;
}
