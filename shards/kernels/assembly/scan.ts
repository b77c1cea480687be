// Looks through values before anything is done with them.

// The largest of `count` values; 0 of none.
export function largestOf(valuesPtr: usize, count: i32): u32 {
  const end = valuesPtr + (<usize>count << 2);
  const vectorEnd = valuesPtr + (<usize>(count & ~7) << 2);
  let a = i32x4.splat(0);
  let b = i32x4.splat(0);
  let ptr = valuesPtr;
  for (; ptr < vectorEnd; ptr += 32) {
    a = i32x4.max_u(a, v128.load(ptr));
    b = i32x4.max_u(b, v128.load(ptr, 16));
  }
  a = i32x4.max_u(a, b);
  let largest = max<u32>(
    max<u32>(i32x4.extract_lane(a, 0), i32x4.extract_lane(a, 1)),
    max<u32>(i32x4.extract_lane(a, 2), i32x4.extract_lane(a, 3)),
  );
  for (; ptr < end; ptr += 4) largest = max<u32>(largest, load<u32>(ptr));
  return largest;
}

// Whether one of `count` float32 values is not a number.
export function hasNaN(valuesPtr: usize, count: i32): bool {
  const end = valuesPtr + (<usize>count << 2);
  const vectorEnd = valuesPtr + (<usize>(count & ~3) << 2);
  // NaN alone differs from itself.
  let differs = i32x4.splat(0);
  let ptr = valuesPtr;
  for (; ptr < vectorEnd; ptr += 16) {
    const values = v128.load(ptr);
    differs = v128.or(differs, f32x4.ne(values, values));
  }
  let isThere = v128.any_true(differs);
  for (; ptr < end; ptr += 4) {
    const value = load<f32>(ptr);
    isThere = isThere || value != value;
  }
  return isThere;
}
