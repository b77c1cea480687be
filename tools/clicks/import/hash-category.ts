/**
 * The row of a category: `fmix32(value ^ fmix32(seed + table · 0x9e3779b9)) mod rowCount`, fmix32 being the
 * finaliser of MurmurHash3 (Appleby, public domain). The table's place is in it so that one value does
 * not meet the same neighbours in every table.
 *
 * @param value Unsigned 32 bits.
 */
export function hashCategory(
  value: number,
  tableIndex: number,
  seed: number,
  rowCount: number,
): number {
  return fmix32(value ^ saltOf(tableIndex, seed)) % rowCount;
}

/** A category that is text or wider than 32 bits: FNV-1a, 32 bits, over its UTF-8 bytes. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text, "utf8")) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

function saltOf(tableIndex: number, seed: number): number {
  return fmix32((seed + Math.imul(tableIndex, 0x9e3779b9)) >>> 0);
}

function fmix32(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
