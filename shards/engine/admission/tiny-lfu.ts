import type { AdmissionPolicy } from "./admission-policy.js";

const READS_MAX = 0xffff;

/** Row reads a block, on average, in which every counter is halved once. */
const HALVED_EVERY_READS_PER_BLOCK = 10;

/**
 * A block comes in when more of its rows were read lately than of the one that would leave (TinyLFU,
 * Einziger, Friedman and Manes, ACM TOS 2017). Blocks are numbered without gaps, so each has a counter
 * of its own, two bytes, where the paper needs a sketch. Counters age as the paper's do, by halving,
 * but a few at a time: a hand goes round, and no lookup waits for a sweep of all.
 */
export class TinyLfu implements AdmissionPolicy {
  readonly #readsByBlock: Uint16Array;
  #hand = 0;
  /** Reads counted that have not moved the hand yet. */
  #handCredit = 0;

  constructor(blockCount: number) {
    this.#readsByBlock = new Uint16Array(blockCount);
  }

  recordReads(block: number, rowReads: number): void {
    const reads = this.#readsByBlock;
    reads[block] = Math.min(READS_MAX, reads[block]! + rowReads);
    this.#handCredit += Math.min(rowReads, READS_MAX);
    while (this.#handCredit >= HALVED_EVERY_READS_PER_BLOCK) {
      this.#handCredit -= HALVED_EVERY_READS_PER_BLOCK;
      reads[this.#hand] = reads[this.#hand]! >> 1;
      this.#hand = (this.#hand + 1) % reads.length;
    }
  }

  admits(candidate: number, victim: number): boolean {
    return this.#readsByBlock[candidate]! > this.#readsByBlock[victim]!;
  }
}
