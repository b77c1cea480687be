// Brings rows into the processor's caches before they are summed.
//
// Rows of a large table are cache misses. A loop that sums them keeps few misses under way, because a
// processor looks only some hundred instructions ahead and summing takes many of them a row. This loop
// has next to nothing but the loads, so as many are under way as the processor can have; WebAssembly
// has no prefetch instruction, and a load whose value nobody waits for is as good. It may trap, so no
// compiler takes it away. Values that are kept, even or-ed together, cost half the gain: they wait in the
// processor's queues. So does a loop over the lines of a row, or an addition before a load. Every
// instruction beside the loads makes them fewer, so a turn of the loop takes eight rows.
// Measured, ns a row, 26 x 100k x 64, zipf 1.05 and uniform: float32 20 -> 11 and 27 -> 15; int8 22 -> 11
// and 33 -> 13; 0.5 more when all rows are in the first-level cache (benchmark lookup-hot).

const LINE_BYTES: usize = 64;

// Rows are brought in by groups of this many bytes: far below any second-level cache. From 32 KiB on
// the size hardly matters.
const GROUP_BYTES: usize = 131072;

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
  else if (lineCount == 8 && !straddles) touchEach<Lines8>(start, end, 0);
  else touchLong(start, end, rowBytes);
}

function touchUpTo4(start: usize, end: usize, lineCount: i32, straddles: bool, last: usize): void {
  switch (lineCount) {
    case 1:
      if (straddles) touchEach<Lines1AndLast>(start, end, last);
      else touchEach<Lines1>(start, end, last);
      break;
    case 2:
      if (straddles) touchEach<Lines2AndLast>(start, end, last);
      else touchEach<Lines2>(start, end, last);
      break;
    case 3:
      if (straddles) touchEach<Lines3AndLast>(start, end, last);
      else touchEach<Lines3>(start, end, last);
      break;
    default:
      if (straddles) touchEach<Lines4AndLast>(start, end, last);
      else touchEach<Lines4>(start, end, last);
  }
}

// `Row` says which of a row's lines are read. Eight rows a turn: measured, ns a row of 256 bytes, one
// row a turn 9.2, two 8.0, four 7.9, eight 7.6, sixteen 7.4.
// @ts-ignore: decorator
@inline
function touchEach<Row>(start: usize, end: usize, last: usize): void {
  const rows = changetype<Row>(0);
  const turnsEnd = start + ((end - start) & ~31);
  let ptr = start;
  for (; ptr < turnsEnd; ptr += 32) {
    rows.touch(<usize>load<u32>(ptr), last);
    rows.touch(<usize>load<u32>(ptr, 4), last);
    rows.touch(<usize>load<u32>(ptr, 8), last);
    rows.touch(<usize>load<u32>(ptr, 12), last);
    rows.touch(<usize>load<u32>(ptr, 16), last);
    rows.touch(<usize>load<u32>(ptr, 20), last);
    rows.touch(<usize>load<u32>(ptr, 24), last);
    rows.touch(<usize>load<u32>(ptr, 28), last);
  }
  for (; ptr < end; ptr += 4) rows.touch(<usize>load<u32>(ptr), last);
}

@unmanaged
class Lines1 {
  // @ts-ignore: decorator
  @inline
  touch(row: usize, last: usize): void {
    load<u8>(row);
  }
}

@unmanaged
class Lines1AndLast {
  // @ts-ignore: decorator
  @inline
  touch(row: usize, last: usize): void {
    load<u8>(row);
    load<u8>(row + last);
  }
}

@unmanaged
class Lines2 {
  // @ts-ignore: decorator
  @inline
  touch(row: usize, last: usize): void {
    load<u8>(row);
    load<u8>(row, 64);
  }
}

@unmanaged
class Lines2AndLast {
  // @ts-ignore: decorator
  @inline
  touch(row: usize, last: usize): void {
    load<u8>(row);
    load<u8>(row, 64);
    load<u8>(row + last);
  }
}

@unmanaged
class Lines3 {
  // @ts-ignore: decorator
  @inline
  touch(row: usize, last: usize): void {
    load<u8>(row);
    load<u8>(row, 64);
    load<u8>(row, 128);
  }
}

@unmanaged
class Lines3AndLast {
  // @ts-ignore: decorator
  @inline
  touch(row: usize, last: usize): void {
    load<u8>(row);
    load<u8>(row, 64);
    load<u8>(row, 128);
    load<u8>(row + last);
  }
}

@unmanaged
class Lines4 {
  // @ts-ignore: decorator
  @inline
  touch(row: usize, last: usize): void {
    load<u8>(row);
    load<u8>(row, 64);
    load<u8>(row, 128);
    load<u8>(row, 192);
  }
}

@unmanaged
class Lines4AndLast {
  // @ts-ignore: decorator
  @inline
  touch(row: usize, last: usize): void {
    load<u8>(row);
    load<u8>(row, 64);
    load<u8>(row, 128);
    load<u8>(row, 192);
    load<u8>(row + last);
  }
}

@unmanaged
class Lines8 {
  // @ts-ignore: decorator
  @inline
  touch(row: usize, last: usize): void {
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
      changetype<Lines8>(0).touch(<usize>load<u32>(ptr) + base, 0);
    }
  }
  for (let ptr = start; ptr < end; ptr += 4) {
    const row = <usize>load<u32>(ptr);
    for (let line = base; line < rowBytes; line += LINE_BYTES) load<u8>(row + line);
    load<u8>(row + rowBytes - 1);
  }
}
