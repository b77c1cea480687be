import { Random } from "../../../lib/random.js";

/**
 * The rows of a made-up table: values uniform in `[-limit, limit)`, each a hash of its place, so that
 * any row can be made by itself and a table of any size without memory.
 */
export class SynthRows {
  readonly embeddingDim: number;
  readonly #limit: number;
  readonly #key: number;

  /** @param deviation Standard deviation of a value. */
  constructor(seed: number, table: string, embeddingDim: number, deviation: number) {
    this.embeddingDim = embeddingDim;
    this.#key = new Random(seed, `rows of ${table}`).nextUint32();
    // A uniform value in [-a, a) has the deviation a / √3.
    this.#limit = deviation * Math.sqrt(3);
  }

  /** Fills `out` with the rows from `rowStart` on. */
  fill(rowStart: number, out: Float32Array): void {
    const unit = this.#limit / 2147483648;
    const first = rowStart * this.embeddingDim;
    // Places above 2^32 change the key: the hash takes 32 bits.
    let high = Math.floor(first / 4294967296);
    let low = first >>> 0;
    let key = (this.#key ^ Math.imul(high, 0x9e3779b9)) | 0;
    for (let i = 0; i < out.length; i++) {
      // Two rounds of a 32-bit finaliser, written out: a call a value doubles the time.
      let x = (low ^ key) | 0;
      x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
      x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
      x = Math.imul(x ^ (x >>> 15) ^ key, 0x846ca68b);
      out[i] = (x ^ (x >>> 16)) * unit;
      low = (low + 1) >>> 0;
      if (low === 0) {
        high++;
        key = (this.#key ^ Math.imul(high, 0x9e3779b9)) | 0;
      }
    }
  }
}
