// Rows of float32, little-endian.
import { pool, Unweighted, Weighted } from "./pool";

@unmanaged
class Float32Rows {
  // @ts-ignore: decorator
  @inline
  rowBytes(columnCount: i32): usize {
    return <usize>columnCount << 2;
  }

  // @ts-ignore: decorator
  @inline
  prepare(start: usize, end: usize, columnCount: i32): void {}

  // @ts-ignore: decorator
  @inline
  add16<Term>(start: usize, end: usize, toWeight: usize, column: i32, columnCount: i32, out: usize): void {
    const term = changetype<Term>(0);
    const offset = <usize>column << 2;
    let a = v128.load(out);
    let b = v128.load(out, 16);
    let c = v128.load(out, 32);
    let d = v128.load(out, 48);
    for (let ptr = start; ptr < end; ptr += 4) {
      const row = <usize>load<u32>(ptr) + offset;
      const weight = term.splat(ptr + toWeight);
      a = f32x4.add(a, term.times(weight, v128.load(row)));
      b = f32x4.add(b, term.times(weight, v128.load(row, 16)));
      c = f32x4.add(c, term.times(weight, v128.load(row, 32)));
      d = f32x4.add(d, term.times(weight, v128.load(row, 48)));
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
    const offset = <usize>column << 2;
    let a = v128.load(out);
    for (let ptr = start; ptr < end; ptr += 4) {
      const values = v128.load(<usize>load<u32>(ptr) + offset);
      a = f32x4.add(a, term.times(term.splat(ptr + toWeight), values));
    }
    v128.store(out, a);
  }

  // @ts-ignore: decorator
  @inline
  add1<Term>(start: usize, end: usize, toWeight: usize, column: i32, columnCount: i32, out: usize): void {
    const term = changetype<Term>(0);
    const offset = <usize>column << 2;
    let a = load<f32>(out);
    for (let ptr = start; ptr < end; ptr += 4) {
      a += term.timesOne(ptr + toWeight, load<f32>(<usize>load<u32>(ptr) + offset));
    }
    store<f32>(out, a);
  }
}

export function sumFloat32(
  addressesPtr: usize,
  lengthsPtr: usize,
  bagCount: i32,
  outPtr: usize,
  columnCount: i32,
): void {
  pool<Float32Rows, Unweighted>(addressesPtr, lengthsPtr, bagCount, outPtr, columnCount, 0);
}

export function weightedSumFloat32(
  addressesPtr: usize,
  lengthsPtr: usize,
  bagCount: i32,
  outPtr: usize,
  columnCount: i32,
  weightsPtr: usize,
): void {
  pool<Float32Rows, Weighted>(addressesPtr, lengthsPtr, bagCount, outPtr, columnCount, weightsPtr);
}
