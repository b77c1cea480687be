import type { Random } from "../../lib/random.js";

export interface BackOffOptions {
  readonly firstDelayMs: number;
  readonly delayMsMax: number;
  readonly random: Random;
}

/** How long to wait before the next try: doubling, with jitter so that clients do not march in step. */
export class BackOff {
  readonly #options: BackOffOptions;
  #failureCount = 0;

  constructor(options: BackOffOptions) {
    this.#options = options;
  }

  /** Counts a failure; returns a delay between half and the whole of the present step. */
  nextDelayMs(): number {
    const { firstDelayMs, delayMsMax, random } = this.#options;
    const stepMs = Math.min(delayMsMax, firstDelayMs * 2 ** this.#failureCount);
    // Beyond the maximum the power needs no further growth, and would overflow in the end.
    if (stepMs < delayMsMax) this.#failureCount++;
    return stepMs * (0.5 + 0.5 * random.nextFloat());
  }

  reset(): void {
    this.#failureCount = 0;
  }
}
