import type { Random } from "../../lib/random.js";

/**
 * Draws ranks from 0 below `rankCount`, rank k with a probability in proportion to (k + 1)^-exponent,
 * in constant time and memory: rejection-inversion (Hörmann and Derflinger, 1996).
 */
export class ZipfRanks {
  readonly #rankCount: number;
  readonly #exponent: number;
  readonly #integralLow: number;
  readonly #integralHigh: number;
  readonly #shortcut: number;

  constructor(rankCount: number, exponent: number) {
    this.#rankCount = rankCount;
    this.#exponent = exponent;
    this.#integralLow = this.#integral(1.5) - 1;
    this.#integralHigh = this.#integral(rankCount + 0.5);
    this.#shortcut = 2 - this.#inverseIntegral(this.#integral(2.5) - this.#density(2));
  }

  next(random: Random): number {
    for (;;) {
      const place =
        this.#integralHigh + random.nextFloat() * (this.#integralLow - this.#integralHigh);
      const x = this.#inverseIntegral(place);
      const rank = Math.min(Math.max(Math.round(x), 1), this.#rankCount);
      const isInside = rank - x <= this.#shortcut;
      if (isInside || place >= this.#integral(rank + 0.5) - this.#density(rank)) return rank - 1;
    }
  }

  /** x^-exponent. */
  #density(x: number): number {
    return Math.exp(-this.#exponent * Math.log(x));
  }

  /** Integral of the density from 1 to x; a logarithm where the exponent is 1. */
  #integral(x: number): number {
    const log = Math.log(x);
    const power = (1 - this.#exponent) * log;
    return Math.abs(power) > 1e-8 ? (Math.expm1(power) / power) * log : log * (1 + power / 2);
  }

  #inverseIntegral(value: number): number {
    const power = Math.max((1 - this.#exponent) * value, -1);
    const scale = Math.abs(power) > 1e-8 ? Math.log1p(power) / power : 1 - power / 2;
    return Math.exp(scale * value);
  }
}
