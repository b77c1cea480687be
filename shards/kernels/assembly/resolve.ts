// Turns row ids into addresses where all rows lie by id from `rowsPtr` on.
export function addressRows(
  idsPtr: usize,
  count: i32,
  addressesPtr: usize,
  rowsPtr: usize,
  rowBytes: u32,
): void {
  const size = i32x4.splat(rowBytes);
  const first = i32x4.splat(<i32>rowsPtr);
  const end = <usize>count << 2;
  const vectorEnd = end & ~15;
  let at: usize = 0;
  for (; at < vectorEnd; at += 16) {
    v128.store(addressesPtr + at, i32x4.add(first, i32x4.mul(size, v128.load(idsPtr + at))));
  }
  for (; at < end; at += 4) {
    store<u32>(addressesPtr + at, <u32>rowsPtr + rowBytes * load<u32>(idsPtr + at));
  }
}

// Turns row positions into addresses: position -> block -> slot -> row. A row whose block has no slot
// gets address 0, and its index goes to `missesPtr`, rising. Each read adds one to
// the uses of its slot, which is all that a hit pays for recency and frequency.
export function resolveRows(
  positionsPtr: usize,
  count: i32,
  addressesPtr: usize,
  missesPtr: usize,
  rowsShift: i32,
  rowBytes: u32,
  slotByBlockPtr: usize,
  slotCount: u32,
  slotsPtr: usize,
  usesBySlotPtr: usize,
): i32 {
  const rowMask: u32 = (<u32>1 << rowsShift) - 1;
  const blockBytes: u32 = rowBytes << rowsShift;
  let missPtr = missesPtr;
  for (let i = 0; i < count; i++) {
    const at = <usize>i << 2;
    const position = load<u32>(positionsPtr + at);
    const slot = load<u32>(slotByBlockPtr + (<usize>(position >> rowsShift) << 2));
    // An absent block's slot is -1, and one in another memory is past slotCount: both are misses here.
    if (slot < slotCount) {
      const usesPtr = usesBySlotPtr + (<usize>slot << 2);
      store<u32>(usesPtr, load<u32>(usesPtr) + 1);
      store<u32>(addressesPtr + at, <u32>slotsPtr + slot * blockBytes + (position & rowMask) * rowBytes);
    } else {
      store<u32>(addressesPtr + at, 0);
      store<u32>(missPtr, i);
      missPtr += 4;
    }
  }
  return <i32>((missPtr - missesPtr) >> 2);
}
