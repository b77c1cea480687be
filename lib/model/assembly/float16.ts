// float32 to float16 and back, eight values at a time. Every argument that ends in `Ptr` is a byte offset
// in the one memory; `count` is a multiple of 8.

// As in lib/model/float16.ts, where the reasons stand.
const INFINITY_BITS: i32 = 0x7f800000;
const NORMAL_FROM: i32 = 0x38800000;
const BIAS_BITS: i32 = 112 << 10;
// 2^112: the exponent biases of float32 and float16 differ by 112.
const UP: f32 = 5192296858534827628530496329220096.0;
// Sign, and the 15 bits under the three that spreading fills with the sign.
const SPREAD_MASK: i32 = 0x8fffffff;
const BEYOND_FLOAT16: f32 = 65536.0;

// Rounds to nearest, ties to even.
export function roundToFloat16(valuesPtr: usize, count: i32, outPtr: usize): void {
  const end = valuesPtr + (<usize>count << 2);
  for (let ptr = valuesPtr; ptr < end; ptr += 32, outPtr += 16) {
    const halves = i16x8.narrow_i32x4_u(round4(v128.load(ptr)), round4(v128.load(ptr, 16)));
    v128.store(outPtr, halves);
  }
}

// The bits of four float16, each in 32 bits.
// @ts-ignore: decorator
@inline
function round4(bits: v128): v128 {
  const sign = v128.and(i32x4.shr_u(bits, 16), i32x4.splat(0x8000));
  const magnitude = v128.and(bits, i32x4.splat(0x7fffffff));
  const cut = i32x4.shr_u(magnitude, 13);
  const odd = v128.and(cut, i32x4.splat(1));
  const rounded = i32x4.shr_u(i32x4.add(magnitude, i32x4.add(odd, i32x4.splat(0xfff))), 13);
  // What rounds beyond the largest float16 is an infinity.
  const normal = i32x4.min_s(i32x4.sub(rounded, i32x4.splat(BIAS_BITS)), i32x4.splat(0x7c00));
  const subnormal = i32x4.sub(f32x4.add(magnitude, f32x4.splat(0.5)), i32x4.splat(0x3f000000));
  const nan = v128.or(i32x4.splat(0x7e00), v128.and(cut, i32x4.splat(0x1ff)));
  const isSmall = i32x4.lt_s(magnitude, i32x4.splat(NORMAL_FROM));
  const isNan = i32x4.gt_s(magnitude, i32x4.splat(INFINITY_BITS));
  const finite = v128.bitselect(subnormal, normal, isSmall);
  return v128.or(sign, v128.bitselect(nan, finite, isNan));
}

// Every float16 is a float32: exact.
export function widenFloat16(halvesPtr: usize, count: i32, outPtr: usize): void {
  const end = halvesPtr + (<usize>count << 1);
  for (let ptr = halvesPtr; ptr < end; ptr += 16, outPtr += 32) {
    v128.store(outPtr, widen4(v128.load16x4_s(ptr)));
    v128.store(outPtr, widen4(v128.load16x4_s(ptr + 8)), 16);
  }
}

// With its fields moved to a float32's places a finite float16 is its own value times 2^-112; exponent 31
// comes out as 2^16 and more.
// @ts-ignore: decorator
@inline
function widen4(words: v128): v128 {
  const spread = v128.and(i32x4.shl(words, 13), i32x4.splat(SPREAD_MASK));
  const values = f32x4.mul(spread, f32x4.splat(UP));
  const isBeyond = f32x4.ge(f32x4.abs(values), f32x4.splat(BEYOND_FLOAT16));
  return v128.or(values, v128.and(isBeyond, i32x4.splat(INFINITY_BITS)));
}
