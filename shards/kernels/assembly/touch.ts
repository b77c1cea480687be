// Brings rows into the processor's caches before they are summed.
//
// Rows of a large table are cache misses. A loop that sums them keeps few misses under way, because a
// processor looks only some hundred instructions ahead and summing takes many of them a row. This loop
// has next to nothing but the loads, so as many are under way as the processor can have; WebAssembly
// has no prefetch instruction, and a load whose value nobody waits for is as good. It may trap, so no
// compiler takes it away. Values that are kept, even or-ed together, cost half the gain: they wait in the
// processor's queues. So does a loop over the lines of a row, or an addition before a load.
// Measured, ns a row, 26 x 100k x 64, zipf 1.05 and uniform: float32 20 -> 12 and 27 -> 16; int8 22 -> 11
// and 33 -> 13; 0.5 more when all rows are in the first-level cache (benchmark lookup-hot).

const LINE_BYTES: usize = 64;

// Rows are brought in by groups of this many bytes: far below any second-level cache. From 32 KiB on
// the size hardly matters.
const GROUP_BYTES: usize = 65536;

// Bound on the rows of a group, for who keeps something for each of them.
export const GROUP_ROWS_MAX: usize = 2048;

// Rows of a group.
// @ts-ignore: decorator
@inline
export function groupRowsOf(rowBytes: usize): usize {
  return min(GROUP_ROWS_MAX, max(1, GROUP_BYTES / rowBytes));
}

// Reads a byte of every cache line of the rows whose addresses are in [start, end).
export function touchRows(start: usize, end: usize, rowBytes: usize): void {
  const lineCount = (rowBytes + LINE_BYTES - 1) / LINE_BYTES;
  const tailBytes = rowBytes - (lineCount - 1) * LINE_BYTES;
  // Rows of whole lines start at one. Others may reach into one line more, but for a few bytes' sake
  // that is not worth a load (72-byte rows of int8 end in the line they begin to fill).
  const straddles = tailBytes > 8 && tailBytes < LINE_BYTES;
  if (lineCount <= 4) touchUpTo4(start, end, <i32>lineCount, straddles, rowBytes - 1);
  else if (lineCount == 8 && !straddles) touch8(start, end);
  else touchLong(start, end, rowBytes);
}

// @ts-ignore: decorator
@inline
function touchUpTo4(start: usize, end: usize, lineCount: i32, straddles: bool, last: usize): void {
  switch (lineCount) {
    case 1:
      if (straddles) touch1AndLast(start, end, last);
      else touch1(start, end);
      break;
    case 2:
      if (straddles) touch2AndLast(start, end, last);
      else touch2(start, end);
      break;
    case 3:
      if (straddles) touch3AndLast(start, end, last);
      else touch3(start, end);
      break;
    default:
      if (straddles) touch4AndLast(start, end, last);
      else touch4(start, end);
  }
}

function touch1(start: usize, end: usize): void {
  for (let ptr = start; ptr < end; ptr += 4) {
    const row = <usize>load<u32>(ptr);
    load<u8>(row);
  }
}

function touch1AndLast(start: usize, end: usize, last: usize): void {
  for (let ptr = start; ptr < end; ptr += 4) {
    const row = <usize>load<u32>(ptr);
    load<u8>(row);
    load<u8>(row + last);
  }
}

function touch2(start: usize, end: usize): void {
  for (let ptr = start; ptr < end; ptr += 4) {
    const row = <usize>load<u32>(ptr);
    load<u8>(row);
    load<u8>(row, 64);
  }
}

function touch2AndLast(start: usize, end: usize, last: usize): void {
  for (let ptr = start; ptr < end; ptr += 4) {
    const row = <usize>load<u32>(ptr);
    load<u8>(row);
    load<u8>(row, 64);
    load<u8>(row + last);
  }
}

function touch3(start: usize, end: usize): void {
  for (let ptr = start; ptr < end; ptr += 4) {
    const row = <usize>load<u32>(ptr);
    load<u8>(row);
    load<u8>(row, 64);
    load<u8>(row, 128);
  }
}

function touch3AndLast(start: usize, end: usize, last: usize): void {
  for (let ptr = start; ptr < end; ptr += 4) {
    const row = <usize>load<u32>(ptr);
    load<u8>(row);
    load<u8>(row, 64);
    load<u8>(row, 128);
    load<u8>(row + last);
  }
}

function touch4(start: usize, end: usize): void {
  for (let ptr = start; ptr < end; ptr += 4) {
    const row = <usize>load<u32>(ptr);
    load<u8>(row);
    load<u8>(row, 64);
    load<u8>(row, 128);
    load<u8>(row, 192);
  }
}

function touch4AndLast(start: usize, end: usize, last: usize): void {
  for (let ptr = start; ptr < end; ptr += 4) {
    const row = <usize>load<u32>(ptr);
    load<u8>(row);
    load<u8>(row, 64);
    load<u8>(row, 128);
    load<u8>(row, 192);
    load<u8>(row + last);
  }
}

function touch8(start: usize, end: usize): void {
  for (let ptr = start; ptr < end; ptr += 4) {
    const row = <usize>load<u32>(ptr);
    load<u8>(row);
    load<u8>(row, 64);
    load<u8>(row, 128);
    load<u8>(row, 192);
    load<u8>(row, 256);
    load<u8>(row, 320);
    load<u8>(row, 384);
    load<u8>(row, 448);
  }
}

// Rows of many lines, eight lines at a time.
function touchLong(start: usize, end: usize, rowBytes: usize): void {
  let base: usize = 0;
  for (; base + 8 * LINE_BYTES <= rowBytes; base += 8 * LINE_BYTES) {
    for (let ptr = start; ptr < end; ptr += 4) {
      const row = <usize>load<u32>(ptr) + base;
      load<u8>(row);
      load<u8>(row, 64);
      load<u8>(row, 128);
      load<u8>(row, 192);
      load<u8>(row, 256);
      load<u8>(row, 320);
      load<u8>(row, 384);
      load<u8>(row, 448);
    }
  }
  for (let ptr = start; ptr < end; ptr += 4) {
    const row = <usize>load<u32>(ptr);
    for (let line = base; line < rowBytes; line += LINE_BYTES) load<u8>(row + line);
    load<u8>(row + rowBytes - 1);
  }
}
