/** Classes a partition's rows fall into at most: three bits a row. */
export const CLASS_COUNT_MAX = 8;

/** Rows whose classes lie together. */
export const ROWS_PER_LINE = 128;

/** Bytes of a bit of the class, for the rows of a line. */
const PLANE_BYTES = ROWS_PER_LINE / 8;

/** Bytes of the classes of a line's rows: one plane for each bit of the class, lowest first. */
export const LINE_BYTES = 3 * PLANE_BYTES;

/** Lines of `rowCount` rows. */
export function lineCountOf(rowCount: number): number {
  return Math.ceil(rowCount / ROWS_PER_LINE);
}

/**
 * Which class each row of a partition is in, 0 being the one read most. They are all that placement
 * comes down to: rows lie class by class, and within a class in the order of their ids.
 */
export class RowClasses {
  readonly rowCount: number;
  /**
   * `[lines][3][16]`: bit r of plane k is bit k of the class of a line's row r. Bits past the last
   * row are 0.
   */
  readonly planes: Uint8Array;
  readonly #rowCounts: number[];

  /** Puts every row into class `initial`. */
  constructor(rowCount: number, initial: number) {
    this.rowCount = rowCount;
    this.planes = new Uint8Array(lineCountOf(rowCount) * LINE_BYTES);
    this.#rowCounts = new Array<number>(CLASS_COUNT_MAX).fill(0);
    this.#rowCounts[initial] = rowCount;
    for (let bit = 0; bit < 3; bit++) {
      if ((initial >> bit) & 1) this.#fillPlane(bit);
    }
  }

  /** How many rows are in each class. */
  get rowCounts(): readonly number[] {
    return this.#rowCounts;
  }

  classOf(row: number): number {
    const at = planeByteOf(row);
    const bit = row & 7;
    const { planes } = this;
    return (
      ((planes[at]! >> bit) & 1) |
      (((planes[at + PLANE_BYTES]! >> bit) & 1) << 1) |
      (((planes[at + 2 * PLANE_BYTES]! >> bit) & 1) << 2)
    );
  }

  put(row: number, rowClass: number): void {
    this.#rowCounts[this.classOf(row)]!--;
    this.#rowCounts[rowClass]!++;
    const at = planeByteOf(row);
    const mask = 1 << (row & 7);
    for (let bit = 0; bit < 3; bit++) {
      const byte = at + bit * PLANE_BYTES;
      if ((rowClass >> bit) & 1) this.planes[byte]! |= mask;
      else this.planes[byte]! &= ~mask;
    }
  }

  #fillPlane(bit: number): void {
    for (let row = 0; row < this.rowCount; row += 8) {
      const rows = Math.min(8, this.rowCount - row);
      this.planes[planeByteOf(row) + bit * PLANE_BYTES] = (1 << rows) - 1;
    }
  }
}

/** Where each class starts in placement order. */
export function classStartsOf(rowCounts: readonly number[]): number[] {
  let start = 0;
  return rowCounts.map((rowCount) => {
    const before = start;
    start += rowCount;
    return before;
  });
}

/** The byte of a row's first plane. */
function planeByteOf(row: number): number {
  const line = Math.floor(row / ROWS_PER_LINE);
  return line * LINE_BYTES + ((row & (ROWS_PER_LINE - 1)) >> 3);
}
