// Sums rows into bags. The walk over bags is one for all dtypes; a class a dtype says how its rows
// become float32 (`Rows`), another whether they are weighted (`Term`). Both are types without data:
// their methods are inlined.
//
// Each column has one accumulator and rows are added in bag order, so a result has the bits of the
// plain loop. A bag is walked once for every 16 columns: four accumulators fit the registers.
import { groupRowsOf, touchRows } from "./touch";

// A row's value as it is.
@unmanaged
export class Unweighted {
  // @ts-ignore: decorator
  @inline
  get isWeighted(): bool {
    return false;
  }
  // @ts-ignore: decorator
  @inline
  splat(ptr: usize): v128 {
    return i32x4.splat(0);
  }
  // @ts-ignore: decorator
  @inline
  times(weight: v128, value: v128): v128 {
    return value;
  }
  // @ts-ignore: decorator
  @inline
  timesOne(ptr: usize, value: f32): f32 {
    return value;
  }
}

// A row's value times its weight, rounded before it is added.
@unmanaged
export class Weighted {
  // @ts-ignore: decorator
  @inline
  get isWeighted(): bool {
    return true;
  }
  // @ts-ignore: decorator
  @inline
  splat(ptr: usize): v128 {
    return v128.load32_splat(ptr);
  }
  // @ts-ignore: decorator
  @inline
  times(weight: v128, value: v128): v128 {
    return f32x4.mul(weight, value);
  }
  // @ts-ignore: decorator
  @inline
  timesOne(ptr: usize, value: f32): f32 {
    return load<f32>(ptr) * value;
  }
}

// Adds the rows whose addresses start at `addressesPtr` onto `out`, bag by bag: `lengths[b]` of them
// for bag b. Row addresses come in groups: first their lines, then, part by part, their sums.
// @ts-ignore: decorator
@inline
export function pool<Rows, Term>(
  addressesPtr: usize,
  lengthsPtr: usize,
  bagCount: i32,
  outPtr: usize,
  columnCount: i32,
  weightsPtr: usize,
): void {
  const rows = changetype<Rows>(0);
  const rowBytes = rows.rowBytes(columnCount);
  const groupBytes = groupRowsOf(rowBytes) << 2;
  const addressesEnd = addressesPtr + sumOfLengths(lengthsPtr, bagCount) * 4;
  // A weight lies as far from the weights' start as its address from the addresses' start.
  const toWeight = weightsPtr - addressesPtr;
  let out = outPtr;
  let ptr = addressesPtr;
  let groupEnd = addressesPtr;
  let bagEnd = addressesPtr;
  for (let bag = 0; bag < bagCount; bag++) {
    bagEnd += <usize>load<u32>(lengthsPtr + (<usize>bag << 2)) << 2;
    while (ptr < bagEnd) {
      if (ptr == groupEnd) {
        groupEnd = min(addressesEnd, ptr + groupBytes);
        touchRows(ptr, groupEnd, rowBytes);
        rows.prepare(ptr, groupEnd, columnCount);
      }
      const end = min(bagEnd, groupEnd);
      addColumns<Rows, Term>(ptr, end, toWeight, columnCount, out);
      ptr = end;
    }
    out += <usize>columnCount << 2;
  }
}

// @ts-ignore: decorator
@inline
function sumOfLengths(lengthsPtr: usize, bagCount: i32): usize {
  let sum: usize = 0;
  for (let bag = 0; bag < bagCount; bag++) sum += <usize>load<u32>(lengthsPtr + (<usize>bag << 2));
  return sum;
}

// @ts-ignore: decorator
@inline
function addColumns<Rows, Term>(
  start: usize,
  end: usize,
  toWeight: usize,
  columnCount: i32,
  out: usize,
): void {
  const rows = changetype<Rows>(0);
  const wide = columnCount & ~15;
  const narrow = columnCount & ~3;
  let column = 0;
  for (; column < wide; column += 16) {
    rows.add16<Term>(start, end, toWeight, column, columnCount, out + (<usize>column << 2));
  }
  for (; column < narrow; column += 4) {
    rows.add4<Term>(start, end, toWeight, column, columnCount, out + (<usize>column << 2));
  }
  for (; column < columnCount; column++) {
    rows.add1<Term>(start, end, toWeight, column, columnCount, out + (<usize>column << 2));
  }
}
