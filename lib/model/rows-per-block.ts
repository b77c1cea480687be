/** A block is the largest power-of-two run of rows of at most this many bytes; see shards/DESIGN.md. */
export const BLOCK_BYTES_TARGET = 8192;

/** How many rows share a block of a shard's store: a power of two, so that a position splits by shift and mask. */
export function rowsPerBlockOf(rowBytes: number, blockBytesTarget = BLOCK_BYTES_TARGET): number {
  return 2 ** Math.max(0, Math.floor(Math.log2(blockBytesTarget / rowBytes)));
}
