// Rows of int4 as FBGEMM fuses them: two columns a byte, the low nibble first, then float16 scale and
// float16 bias. A value is fround(fround(q * scale) + bias).
//
// Scales and biases are made float32 once a row, before its columns are walked.
import { toFloat32x4 } from "./pool-float16";
import { dequantise } from "./pool-int8";
import { pool, Unweighted, Weighted } from "./pool";
import { GROUP_ROWS_MAX } from "./touch";

const TAIL_BYTES: usize = 4;

// Scale and bias as float32 of each row of the group at hand.
const tails = memory.data(16400);
// Where the group's addresses start.
let groupStart: usize = 0;

@unmanaged
class Int4Rows {
  // @ts-ignore: decorator
  @inline
  rowBytes(columnCount: i32): usize {
    return <usize>((columnCount + 1) >> 1) + TAIL_BYTES;
  }

  // @ts-ignore: decorator
  @inline
  prepare(start: usize, end: usize, columnCount: i32): void {
    const toTail = this.rowBytes(columnCount) - TAIL_BYTES;
    groupStart = start;
    let tail = tails;
    for (let ptr = start; ptr < end; ptr += 4) {
      const halves = v128.load32_zero(<usize>load<u32>(ptr) + toTail);
      v128.store64_lane(tail, toFloat32x4(i32x4.extend_low_i16x8_s(halves)), 0);
      tail += 8;
    }
  }

  // @ts-ignore: decorator
  @inline
  add16<Term>(start: usize, end: usize, toWeight: usize, column: i32, columnCount: i32, out: usize): void {
    const term = changetype<Term>(0);
    const toTail = tails - (groupStart << 1);
    const offset = <usize>column >> 1;
    let a = v128.load(out);
    let b = v128.load(out, 16);
    let c = v128.load(out, 32);
    let d = v128.load(out, 48);
    for (let ptr = start; ptr < end; ptr += 4) {
      const tail = (ptr << 1) + toTail;
      const scale = v128.load32_splat(tail);
      const bias = v128.load32_splat(tail, 4);
      const weight = term.splat(ptr + toWeight);
      const nibbles = nibblesOf(v128.load8x8_u(<usize>load<u32>(ptr) + offset));
      const low = i16x8.extend_low_i8x16_u(nibbles);
      const high = i16x8.extend_high_i8x16_u(nibbles);
      a = f32x4.add(a, term.times(weight, dequantise(i32x4.extend_low_i16x8_u(low), scale, bias)));
      b = f32x4.add(b, term.times(weight, dequantise(i32x4.extend_high_i16x8_u(low), scale, bias)));
      c = f32x4.add(c, term.times(weight, dequantise(i32x4.extend_low_i16x8_u(high), scale, bias)));
      d = f32x4.add(d, term.times(weight, dequantise(i32x4.extend_high_i16x8_u(high), scale, bias)));
    }
    v128.store(out, a);
    v128.store(out, b, 16);
    v128.store(out, c, 32);
    v128.store(out, d, 48);
  }

  // @ts-ignore: decorator
  @inline
  add4<Term>(start: usize, end: usize, toWeight: usize, column: i32, columnCount: i32, out: usize): void {
    const term = changetype<Term>(0);
    const toTail = tails - (groupStart << 1);
    const offset = <usize>column >> 1;
    let a = v128.load(out);
    for (let ptr = start; ptr < end; ptr += 4) {
      const tail = (ptr << 1) + toTail;
      const bytes = v128.load16_splat(<usize>load<u32>(ptr) + offset);
      const nibbles = nibblesOf(i16x8.extend_low_i8x16_u(bytes));
      const quantised = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(nibbles));
      const values = dequantise(quantised, v128.load32_splat(tail), v128.load32_splat(tail, 4));
      a = f32x4.add(a, term.times(term.splat(ptr + toWeight), values));
    }
    v128.store(out, a);
  }

  // @ts-ignore: decorator
  @inline
  add1<Term>(start: usize, end: usize, toWeight: usize, column: i32, columnCount: i32, out: usize): void {
    const term = changetype<Term>(0);
    const toTail = tails - (groupStart << 1);
    const offset = <usize>column >> 1;
    const shift = (column & 1) << 2;
    let a = load<f32>(out);
    for (let ptr = start; ptr < end; ptr += 4) {
      const tail = (ptr << 1) + toTail;
      const quantised = (<i32>load<u8>(<usize>load<u32>(ptr) + offset) >> shift) & 15;
      const value = <f32>quantised * load<f32>(tail) + load<f32>(tail, 4);
      a += term.timesOne(ptr + toWeight, value);
    }
    store<f32>(out, a);
  }
}

// Eight bytes, each in 16 bits, as sixteen nibbles, each in eight: the low one of a byte first.
// @ts-ignore: decorator
@inline
function nibblesOf(bytes: v128): v128 {
  return v128.and(v128.or(bytes, i16x8.shl(bytes, 4)), i8x16.splat(15));
}

export function sumInt4(
  addressesPtr: usize,
  lengthsPtr: usize,
  bagCount: i32,
  outPtr: usize,
  columnCount: i32,
): void {
  pool<Int4Rows, Unweighted>(addressesPtr, lengthsPtr, bagCount, outPtr, columnCount, 0);
}

export function weightedSumInt4(
  addressesPtr: usize,
  lengthsPtr: usize,
  bagCount: i32,
  outPtr: usize,
  columnCount: i32,
  weightsPtr: usize,
): void {
  pool<Int4Rows, Weighted>(addressesPtr, lengthsPtr, bagCount, outPtr, columnCount, weightsPtr);
}
