// Rows of int8 as FBGEMM fuses them: a byte a column, then float32 scale and float32 bias. A value is
// fround(fround(q * scale) + bias).
//
// Tried, ns a row of 64 with all rows in the first-level cache: this 6.3; shifts and masks that leave
// columns four apart 7.5; masks and scaled scales 6.7; 32 columns a walk 6.1, and slower past that cache.
import { pool, Unweighted, Weighted } from "./pool";

const TAIL_BYTES: usize = 8;

@unmanaged
class Int8Rows {
  // @ts-ignore: decorator
  @inline
  rowBytes(columnCount: i32): usize {
    return <usize>columnCount + TAIL_BYTES;
  }

  // @ts-ignore: decorator
  @inline
  prepare(start: usize, end: usize, columnCount: i32): void {}

  // @ts-ignore: decorator
  @inline
  add16<Term>(start: usize, end: usize, toWeight: usize, column: i32, columnCount: i32, out: usize): void {
    const term = changetype<Term>(0);
    const toTail = <usize>(columnCount - column);
    let a = v128.load(out);
    let b = v128.load(out, 16);
    let c = v128.load(out, 32);
    let d = v128.load(out, 48);
    for (let ptr = start; ptr < end; ptr += 4) {
      const row = <usize>load<u32>(ptr) + <usize>column;
      const scale = v128.load32_splat(row + toTail);
      const bias = v128.load32_splat(row + toTail, 4);
      const weight = term.splat(ptr + toWeight);
      const low = v128.load8x8_u(row);
      const high = v128.load8x8_u(row, 8);
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
    const toTail = <usize>(columnCount - column);
    let a = v128.load(out);
    for (let ptr = start; ptr < end; ptr += 4) {
      const row = <usize>load<u32>(ptr) + <usize>column;
      const scale = v128.load32_splat(row + toTail);
      const bias = v128.load32_splat(row + toTail, 4);
      const words = i16x8.extend_low_i8x16_u(v128.load32_zero(row));
      const values = dequantise(i32x4.extend_low_i16x8_u(words), scale, bias);
      a = f32x4.add(a, term.times(term.splat(ptr + toWeight), values));
    }
    v128.store(out, a);
  }

  // @ts-ignore: decorator
  @inline
  add1<Term>(start: usize, end: usize, toWeight: usize, column: i32, columnCount: i32, out: usize): void {
    const term = changetype<Term>(0);
    const toTail = <usize>(columnCount - column);
    let a = load<f32>(out);
    for (let ptr = start; ptr < end; ptr += 4) {
      const row = <usize>load<u32>(ptr) + <usize>column;
      const value = <f32>load<u8>(row) * load<f32>(row + toTail) + load<f32>(row + toTail, 4);
      a += term.timesOne(ptr + toWeight, value);
    }
    store<f32>(out, a);
  }
}

// @ts-ignore: decorator
@inline
export function dequantise(quantised: v128, scale: v128, bias: v128): v128 {
  return f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(quantised), scale), bias);
}

export function sumInt8(
  addressesPtr: usize,
  lengthsPtr: usize,
  bagCount: i32,
  outPtr: usize,
  columnCount: i32,
): void {
  pool<Int8Rows, Unweighted>(addressesPtr, lengthsPtr, bagCount, outPtr, columnCount, 0);
}

export function weightedSumInt8(
  addressesPtr: usize,
  lengthsPtr: usize,
  bagCount: i32,
  outPtr: usize,
  columnCount: i32,
  weightsPtr: usize,
): void {
  pool<Int8Rows, Weighted>(addressesPtr, lengthsPtr, bagCount, outPtr, columnCount, weightsPtr);
}
