import { groupRowsOf, touchRows } from "./touch";

// Copies the rows whose addresses start at `addressesPtr` to `out`, end to end, as the bytes they are.
export function copyRows(addressesPtr: usize, rowCount: i32, outPtr: usize, rowBytes: usize): void {
  const end = addressesPtr + (<usize>rowCount << 2);
  const groupBytes = groupRowsOf(rowBytes) << 2;
  let out = outPtr;
  for (let groupStart = addressesPtr; groupStart < end; groupStart += groupBytes) {
    const groupEnd = min(end, groupStart + groupBytes);
    touchRows(groupStart, groupEnd, rowBytes);
    for (let ptr = groupStart; ptr < groupEnd; ptr += 4) {
      copyRow(<usize>load<u32>(ptr), out, rowBytes);
      out += rowBytes;
    }
  }
}

// memory.copy costs a call, as much as a row.
// @ts-ignore: decorator
@inline
function copyRow(row: usize, out: usize, rowBytes: usize): void {
  const wide = rowBytes & ~15;
  let at: usize = 0;
  for (; at < wide; at += 16) v128.store(out + at, v128.load(row + at));
  for (; at < rowBytes; at++) store<u8>(out + at, load<u8>(row + at));
}
