import { mix32 } from "../../lib/random.js";

const ROUND_COUNT = 4;

/**
 * A fixed random order of a table's rows, without holding it in memory: a Feistel network over the
 * next even power of two, walked until it lands inside the table (cycle walking, Black and Rogaway,
 * 2002). It says which row is the hottest, the second hottest and so on, so that hot rows are not
 * neighbours.
 */
export class RowScatter {
  readonly #rowCount: number;
  readonly #halfBits: number;
  readonly #halfMask: number;
  readonly #keys: Int32Array;

  constructor(rowCount: number, seed: number) {
    this.#rowCount = rowCount;
    this.#halfBits = Math.max(1, Math.ceil(Math.log2(rowCount) / 2));
    this.#halfMask = 2 ** this.#halfBits - 1;
    this.#keys = Int32Array.from({ length: ROUND_COUNT }, (_, round) => mix32(seed + round));
  }

  /** The row at a place; each place below rowCount has a row of its own. */
  rowAt(place: number): number {
    let row = this.#permute(place);
    while (row >= this.#rowCount) row = this.#permute(row);
    return row;
  }

  #permute(value: number): number {
    let left = value >>> this.#halfBits;
    let right = value & this.#halfMask;
    for (let round = 0; round < ROUND_COUNT; round++) {
      const next = left ^ (mix32(right ^ this.#keys[round]!) & this.#halfMask);
      left = right;
      right = next;
    }
    return ((left << this.#halfBits) | right) >>> 0;
  }
}
