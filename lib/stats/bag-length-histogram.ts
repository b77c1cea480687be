import type { BagLengthBin } from "./access-stats.js";

/** Lengths below have a bin of their own. */
const EXACT_BELOW = 64;
/** Longer ones share a bin with those within 6 %: sixteen bins while a length doubles. */
const BINS_A_DOUBLING = 16;
const BIN_COUNT = EXACT_BELOW + (31 - 6) * BINS_A_DOUBLING;

/** How long a feature's bags are. */
export class BagLengthHistogram {
  readonly #bagCounts = new Float64Array(BIN_COUNT);
  #lengthMax = 0;

  get lengthMax(): number {
    return this.#lengthMax;
  }

  get emptyBagCount(): number {
    return this.#bagCounts[0]!;
  }

  /** Counts bags that lie between neighbouring offsets. */
  addOffsets(offsets: Int32Array): void {
    for (let i = 1; i < offsets.length; i++) this.add(offsets[i]! - offsets[i - 1]!);
  }

  add(length: number): void {
    if (length > this.#lengthMax) this.#lengthMax = length;
    this.#bagCounts[length < EXACT_BELOW ? length : longBinOf(length)]!++;
  }

  /** By rising length, empty bins left out. */
  bins(): BagLengthBin[] {
    const bins: BagLengthBin[] = [];
    this.#bagCounts.forEach((bagCount, bin) => {
      if (bagCount > 0) bins.push({ ...rangeOf(bin), bagCount });
    });
    return bins;
  }
}

function longBinOf(length: number): number {
  const exponent = 31 - Math.clz32(length);
  return EXACT_BELOW + (exponent - 6) * BINS_A_DOUBLING + ((length >>> (exponent - 4)) & 15);
}

function rangeOf(bin: number): { lengthMin: number; lengthMax: number } {
  if (bin < EXACT_BELOW) return { lengthMin: bin, lengthMax: bin };
  const doubling = Math.floor((bin - EXACT_BELOW) / BINS_A_DOUBLING);
  const width = 2 ** (doubling + 2);
  const lengthMin = (BINS_A_DOUBLING + ((bin - EXACT_BELOW) % BINS_A_DOUBLING)) * width;
  return { lengthMin, lengthMax: lengthMin + width - 1 };
}
