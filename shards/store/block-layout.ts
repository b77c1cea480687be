import { crc32 } from "node:zlib";

/** Bytes of the CRC-32 behind a block's rows. */
export const BLOCK_CRC_BYTES = 4;

/**
 * Writes the checksum behind a block's rows. It starts from the block's id, so that a block read in
 * another's place is found out as well.
 *
 * @param sealed `[rows..., 4 bytes for the CRC-32, little-endian]`.
 */
export function sealBlock(sealed: Buffer, blockId: number): void {
  const rowBytes = sealed.length - BLOCK_CRC_BYTES;
  sealed.writeUInt32LE(crc32(sealed.subarray(0, rowBytes), blockId >>> 0), rowBytes);
}

/** The rows of a sealed block, when it is what `sealBlock` made for this id. */
export function intactRows(sealed: Buffer, blockId: number, rowBytes: number): Buffer | undefined {
  if (sealed.length !== rowBytes + BLOCK_CRC_BYTES) return undefined;
  const rows = sealed.subarray(0, rowBytes);
  return sealed.readUInt32LE(rowBytes) === crc32(rows, blockId >>> 0) ? rows : undefined;
}
