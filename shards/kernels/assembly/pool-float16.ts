// Rows of float16, little-endian. Every float16 is a float32, so a value is exact: subnormal numbers,
// infinities and NaN too.
//
// WebAssembly has no instruction for it. With its fields moved to a float32's places (`spread`), a finite
// float16 is its own value times 2^-112; exponent 31, of infinities and NaN, comes out as 2^16 and more.
// The wide walk looks for those beside its sums, once for the whole bag, and starts over with the exact
// conversion when it has met one.
//
// An unweighted sum does not even multiply: sums of numbers that are all 2^-112 times as large round
// alike, so one multiplication at the end does. What is in `out` has to survive the scaling for that;
// sums of float16 always do, being whole multiples of 2^-24.
import { pool, Unweighted, Weighted } from "./pool";

// 2^112 and 2^-112: the exponent biases of float32 and float16 differ by 112.
const UP: f32 = 5192296858534827628530496329220096.0;
const DOWN: f32 = 1.0 / UP;
// Sign, and the 15 bits under the three that spreading fills with the sign.
const SPREAD_MASK: i32 = 0x8fffffff;
const INFINITY_BITS: i32 = 0x7f800000;
const BEYOND_FLOAT16: f32 = 65536.0;

@unmanaged
class Float16Rows {
  // @ts-ignore: decorator
  @inline
  rowBytes(columnCount: i32): usize {
    return <usize>columnCount << 1;
  }

  // @ts-ignore: decorator
  @inline
  prepare(start: usize, end: usize, columnCount: i32): void {}

  // @ts-ignore: decorator
  @inline
  add16<Term>(start: usize, end: usize, toWeight: usize, column: i32, columnCount: i32, out: usize): void {
    const isWhole = changetype<Term>(0).isWeighted
      ? addFinite16<Term>(start, end, toWeight, <usize>column << 1, out)
      : addScaled16(start, end, <usize>column << 1, out);
    if (isWhole) return;
    for (let i = 0; i < 16; i += 4) {
      this.add4<Term>(start, end, toWeight, column + i, columnCount, out + (<usize>i << 2));
    }
  }

  // @ts-ignore: decorator
  @inline
  add4<Term>(start: usize, end: usize, toWeight: usize, column: i32, columnCount: i32, out: usize): void {
    const term = changetype<Term>(0);
    const offset = <usize>column << 1;
    let a = v128.load(out);
    for (let ptr = start; ptr < end; ptr += 4) {
      const values = toFloat32x4(v128.load16x4_s(<usize>load<u32>(ptr) + offset));
      a = f32x4.add(a, term.times(term.splat(ptr + toWeight), values));
    }
    v128.store(out, a);
  }

  // @ts-ignore: decorator
  @inline
  add1<Term>(start: usize, end: usize, toWeight: usize, column: i32, columnCount: i32, out: usize): void {
    const term = changetype<Term>(0);
    const offset = <usize>column << 1;
    let a = load<f32>(out);
    for (let ptr = start; ptr < end; ptr += 4) {
      const value = toFloat32(load<i16>(<usize>load<u32>(ptr) + offset));
      a += term.timesOne(ptr + toWeight, value);
    }
    store<f32>(out, a);
  }
}

// Four float16 values, sign-extended to 32 bits, as float32.
// @ts-ignore: decorator
@inline
export function toFloat32x4(words: v128): v128 {
  const spread = v128.and(i32x4.shl(words, 13), i32x4.splat(SPREAD_MASK));
  const values = f32x4.mul(spread, f32x4.splat(UP));
  const isBeyond = f32x4.ge(f32x4.abs(values), f32x4.splat(BEYOND_FLOAT16));
  return v128.or(values, v128.and(isBeyond, i32x4.splat(INFINITY_BITS)));
}

// @ts-ignore: decorator
@inline
function toFloat32(word: i32): f32 {
  const value = reinterpret<f32>((word << 13) & SPREAD_MASK) * UP;
  if (abs(value) < BEYOND_FLOAT16) return value;
  return reinterpret<f32>(reinterpret<i32>(value) | INFINITY_BITS);
}

// Halves of the spread form of eight float16 values; interleaved they are two vectors of it. One
// operation on eight values is cheaper than two on four.
// @ts-ignore: decorator
@inline
function spreadHigh(words: v128): v128 {
  return v128.and(i16x8.shr_s(words, 3), i16x8.splat(<i16>0x8fff));
}

// @ts-ignore: decorator
@inline
function spreadLow(words: v128): v128 {
  return i16x8.shl(words, 13);
}

// @ts-ignore: decorator
@inline
function first4(low: v128, high: v128): v128 {
  return i16x8.shuffle(low, high, 0, 8, 1, 9, 2, 10, 3, 11);
}

// @ts-ignore: decorator
@inline
function last4(low: v128, high: v128): v128 {
  return i16x8.shuffle(low, high, 4, 12, 5, 13, 6, 14, 7, 15);
}

// Largest magnitude seen, doubled: one shift drops the sign.
// @ts-ignore: decorator
@inline
function largestOf(largest: v128, words: v128): v128 {
  return i16x8.max_u(largest, i16x8.shl(words, 1));
}

// @ts-ignore: decorator
@inline
function areFinite(largest: v128): bool {
  return !v128.any_true(i16x8.ge_u(largest, i16x8.splat(<i16>0xf800)));
}

// @ts-ignore: decorator
@inline
function isSameScaled(scaled: v128, value: v128): bool {
  return i32x4.all_true(f32x4.eq(f32x4.mul(scaled, f32x4.splat(UP)), value));
}

// Adds 16 columns, scaled. Gives false, and leaves `out` alone, where that would not be exact.
// @ts-ignore: decorator
@inline
function addScaled16(start: usize, end: usize, offset: usize, out: usize): bool {
  const down = f32x4.splat(DOWN);
  let a = f32x4.mul(v128.load(out), down);
  let b = f32x4.mul(v128.load(out, 16), down);
  let c = f32x4.mul(v128.load(out, 32), down);
  let d = f32x4.mul(v128.load(out, 48), down);
  if (!isSameScaled(a, v128.load(out)) || !isSameScaled(b, v128.load(out, 16))) return false;
  if (!isSameScaled(c, v128.load(out, 32)) || !isSameScaled(d, v128.load(out, 48))) return false;
  let largest = i32x4.splat(0);
  for (let ptr = start; ptr < end; ptr += 4) {
    const row = <usize>load<u32>(ptr) + offset;
    const first = v128.load(row);
    const second = v128.load(row, 16);
    largest = largestOf(largestOf(largest, first), second);
    const firstHigh = spreadHigh(first);
    const firstLow = spreadLow(first);
    a = f32x4.add(a, first4(firstLow, firstHigh));
    b = f32x4.add(b, last4(firstLow, firstHigh));
    const secondHigh = spreadHigh(second);
    const secondLow = spreadLow(second);
    c = f32x4.add(c, first4(secondLow, secondHigh));
    d = f32x4.add(d, last4(secondLow, secondHigh));
  }
  if (!areFinite(largest)) return false;
  const up = f32x4.splat(UP);
  v128.store(out, f32x4.mul(a, up));
  v128.store(out, f32x4.mul(b, up), 16);
  v128.store(out, f32x4.mul(c, up), 32);
  v128.store(out, f32x4.mul(d, up), 48);
  return true;
}

// Adds 16 columns of finite values. Gives false, and leaves `out` alone, when it meets another.
// @ts-ignore: decorator
@inline
function addFinite16<Term>(start: usize, end: usize, toWeight: usize, offset: usize, out: usize): bool {
  const term = changetype<Term>(0);
  const up = f32x4.splat(UP);
  let a = v128.load(out);
  let b = v128.load(out, 16);
  let c = v128.load(out, 32);
  let d = v128.load(out, 48);
  let largest = i32x4.splat(0);
  for (let ptr = start; ptr < end; ptr += 4) {
    const row = <usize>load<u32>(ptr) + offset;
    const weight = term.splat(ptr + toWeight);
    const first = v128.load(row);
    const second = v128.load(row, 16);
    largest = largestOf(largestOf(largest, first), second);
    const firstHigh = spreadHigh(first);
    const firstLow = spreadLow(first);
    a = f32x4.add(a, term.times(weight, f32x4.mul(first4(firstLow, firstHigh), up)));
    b = f32x4.add(b, term.times(weight, f32x4.mul(last4(firstLow, firstHigh), up)));
    const secondHigh = spreadHigh(second);
    const secondLow = spreadLow(second);
    c = f32x4.add(c, term.times(weight, f32x4.mul(first4(secondLow, secondHigh), up)));
    d = f32x4.add(d, term.times(weight, f32x4.mul(last4(secondLow, secondHigh), up)));
  }
  if (!areFinite(largest)) return false;
  v128.store(out, a);
  v128.store(out, b, 16);
  v128.store(out, c, 32);
  v128.store(out, d, 48);
  return true;
}

export function sumFloat16(
  addressesPtr: usize,
  lengthsPtr: usize,
  bagCount: i32,
  outPtr: usize,
  columnCount: i32,
): void {
  pool<Float16Rows, Unweighted>(addressesPtr, lengthsPtr, bagCount, outPtr, columnCount, 0);
}

export function weightedSumFloat16(
  addressesPtr: usize,
  lengthsPtr: usize,
  bagCount: i32,
  outPtr: usize,
  columnCount: i32,
  weightsPtr: usize,
): void {
  pool<Float16Rows, Weighted>(addressesPtr, lengthsPtr, bagCount, outPtr, columnCount, weightsPtr);
}
