import type { AdmissionPolicy } from "./admission-policy.js";

const READS_MAX = 0xffff;

/** Touches a block, on average, in which every counter is halved once. */
const HALVED_EVERY_TOUCHES_PER_BLOCK = 10;

/** Misses that the running mean of a missed block's reads goes back to. */
const MEAN_MISSES = 64;

/**
 * A block comes in when more of its rows were read lately than of the one that would leave (TinyLFU,
 * Einziger, Friedman and Manes, ACM TOS 2017). Blocks are numbered without gaps, so each has a counter
 * of its own, two bytes, where the paper needs a sketch. Counters age as the paper's do, by halving,
 * but a few at a time: a hand goes round, and no lookup waits for a sweep of all.
 *
 * What counts for age is touches: one lookup that wants a block, however many of its rows. By row reads, a
 * lookup with hundreds of reads a block would halve every counter several times over, and whatever
 * came last would look hottest.
 */
export class TinyLfu implements AdmissionPolicy {
  readonly #readsByBlock: Uint16Array;
  #hand = 0;
  /** Touches counted that have not moved the hand yet. */
  #handCredit = 0;
  /** Reads of a missed block by one lookup, a running mean: what turns reads into touches. */
  #readsPerTouch = 1;
  #missCount = 0;

  constructor(blockCount: number) {
    this.#readsByBlock = new Uint16Array(blockCount);
  }

  recordMiss(block: number, rowReads: number): void {
    // A block that is preloaded is wanted by no lookup.
    if (rowReads === 0) return;
    this.#missCount = Math.min(MEAN_MISSES, this.#missCount + 1);
    this.#readsPerTouch += (rowReads - this.#readsPerTouch) / this.#missCount;
    this.#record(block, rowReads, 1);
  }

  recordHits(block: number, rowReads: number): void {
    this.#record(block, rowReads, Math.min(rowReads, READS_MAX) / this.#readsPerTouch);
  }

  admits(candidate: number, victim: number): boolean {
    return this.#readsByBlock[candidate]! > this.#readsByBlock[victim]!;
  }

  #record(block: number, rowReads: number, touches: number): void {
    const reads = this.#readsByBlock;
    reads[block] = Math.min(READS_MAX, reads[block]! + rowReads);
    this.#handCredit += touches;
    while (this.#handCredit >= HALVED_EVERY_TOUCHES_PER_BLOCK) {
      this.#handCredit -= HALVED_EVERY_TOUCHES_PER_BLOCK;
      reads[this.#hand] = reads[this.#hand]! >> 1;
      this.#hand = (this.#hand + 1) % reads.length;
    }
  }
}
