import { crc32 } from "node:zlib";

/** Bytes of the CRC-32 behind a block's rows. */
export const BLOCK_CRC_BYTES = 4;

/** A block is the largest power-of-two run of rows of at most this many bytes; see shards/DESIGN.md. */
export const BLOCK_BYTES_TARGET = 8192;

/** How many rows share a block: a power of two, so that a position splits by shift and mask. */
export function rowsPerBlockOf(rowBytes: number): number {
  return 2 ** Math.max(0, Math.floor(Math.log2(BLOCK_BYTES_TARGET / rowBytes)));
}

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
