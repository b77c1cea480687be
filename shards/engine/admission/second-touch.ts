import type { AdmissionPolicy } from "./admission-policy.js";

/**
 * A block comes in when it is read again soon after it was refused: while fewer blocks were refused
 * since than the cache has slots (the ghost list of 2Q, Johnson and Shasha, VLDB 1994).
 */
export class SecondTouch implements AdmissionPolicy {
  /** Which refusal a block's last one was; 0 for none. */
  readonly #refusalByBlock: Uint32Array;
  readonly #ghostCount: number;
  #refusalCount = 0;

  constructor(blockCount: number, slotCount: number) {
    this.#refusalByBlock = new Uint32Array(blockCount);
    this.#ghostCount = slotCount;
  }

  recordMiss(): void {}

  recordHits(): void {}

  admits(candidate: number): boolean {
    const refusal = this.#refusalByBlock[candidate]!;
    if (refusal > 0 && this.#refusalCount - refusal < this.#ghostCount) {
      this.#refusalByBlock[candidate] = 0;
      return true;
    }
    // Numbers start over long after every ghost has gone.
    if (this.#refusalCount === 0xffffffff) {
      this.#refusalByBlock.fill(0);
      this.#refusalCount = 0;
    }
    this.#refusalByBlock[candidate] = ++this.#refusalCount;
    return false;
  }
}
