/** SQLite's usual page, and those that may do better. */
const PAGE_BYTES = [4096, 8192, 16_384];

/** How much larger a file may be than with the page size that makes it smallest. */
const FILE_GROWTH_MAX = 1.1;

/** Header of a b-tree page of a table's leaf. */
const LEAF_HEADER_BYTES = 8;

/** Cell pointer, length of the payload and rowid of a cell, the latter two as varints. */
const CELL_HEADER_BYTES = 2 + 3 + 4;

/** Blocks of one size, their CRC included. */
export interface SealedBlocks {
  readonly blockBytes: number;
  readonly blockCount: number;
}

/** The pages of a file that one block comes to. */
interface BlockPages {
  /** Bytes of the file, its share of a leaf counted by how many cells fit one. */
  readonly fileBytes: number;
  /**
   * Pages that come from disk for a block read at random: overflow pages and a share of the leaf, which
   * is small and read by its other blocks as well; one for a block that lies in a leaf whole.
   */
  readonly pagesRead: number;
}

/**
 * The page size of a store's file: the one that reads a block from disk in the fewest pages, unless the
 * file grows by more than a tenth. A block of 8 KiB and its CRC takes two overflow pages of 4 KiB or one of
 * 8 KiB; blocks of little more than 4 KiB would leave nearly half of each larger page empty.
 */
export function choosePageBytes(blocks: readonly SealedBlocks[]): number {
  const costs = PAGE_BYTES.map((pageBytes) => ({ pageBytes, ...costOf(blocks, pageBytes) }));
  const smallest = Math.min(...costs.map(({ fileBytes }) => fileBytes));
  const fitting = costs.filter(({ fileBytes }) => fileBytes <= FILE_GROWTH_MAX * smallest);
  return fitting.reduce((best, cost) => (cost.pagesRead < best.pagesRead ? cost : best)).pageBytes;
}

function costOf(blocks: readonly SealedBlocks[], pageBytes: number): BlockPages {
  let fileBytes = 0;
  let pagesRead = 0;
  for (const { blockBytes, blockCount } of blocks) {
    const pages = blockPagesOf(blockBytes, pageBytes);
    fileBytes += blockCount * pages.fileBytes;
    pagesRead += blockCount * pages.pagesRead;
  }
  return { fileBytes, pagesRead };
}

/**
 * Where SQLite puts a row of a table: whole in the leaf when it fits, else its beginning there and the
 * rest in overflow pages (https://www.sqlite.org/fileformat2.html, "Cell payload overflow pages").
 */
function blockPagesOf(payloadBytes: number, pageBytes: number): BlockPages {
  const localMax = pageBytes - 35;
  const localMin = Math.floor(((pageBytes - 12) * 32) / 255) - 23;
  const overflowBytes = pageBytes - 4;
  let local = payloadBytes;
  if (payloadBytes > localMax) {
    local = localMin + ((payloadBytes - localMin) % overflowBytes);
    if (local > localMax) local = localMin;
  }
  const overflowPages = Math.ceil((payloadBytes - local) / overflowBytes);
  const pointerBytes = overflowPages > 0 ? 4 : 0;
  const cellBytes = local + pointerBytes + CELL_HEADER_BYTES;
  const cellsPerLeaf = Math.max(1, Math.floor((pageBytes - LEAF_HEADER_BYTES) / cellBytes));
  return {
    fileBytes: (overflowPages + 1 / cellsPerLeaf) * pageBytes,
    pagesRead: overflowPages > 0 ? overflowPages + 1 / cellsPerLeaf : 1,
  };
}
