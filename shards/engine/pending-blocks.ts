import type { BlockWait } from "./block-wait.js";
import type { WantedBlocks } from "./missed-rows.js";

/** What one lookup wants of one partition, and its wait for it. */
export interface WaitingWants {
  readonly wait: BlockWait;
  readonly wanted: WantedBlocks;
}

/** No entry. */
export const NO_TAKER = -1;

const FIRST_CAPACITY = 256;

/**
 * Blocks that are to be read or being read, and who takes their rows. Entries are numbers into a few
 * arrays, not objects: thousands wait at a time, and the garbage collector would copy each. A pending
 * block is known by its first taker's entry; its partition's cache keeps that number by block.
 */
export class PendingBlocks {
  readonly #wants: (WaitingWants | undefined)[] = [];
  #indices = new Uint32Array(FIRST_CAPACITY);
  /** The block's next taker; in entries that are free, the next free one. */
  #nextTakers = new Int32Array(FIRST_CAPACITY);
  #entryCount = 0;
  #free = NO_TAKER;
  #blockCount = 0;

  /** Blocks that are pending. */
  get blockCount(): number {
    return this.#blockCount;
  }

  /**
   * Adds a taker.
   *
   * @param index Which of the wanted blocks it is about.
   * @returns The pending block, when nobody has asked for it yet.
   */
  add(wants: WaitingWants, index: number): number | undefined {
    const { cache, blocks } = wants.wanted;
    const block = blocks[index]!;
    const taker = this.#takeEntry();
    this.#wants[taker] = wants;
    this.#indices[taker] = index;
    const pending = cache.pendingOf(block);
    if (pending === undefined) {
      this.#nextTakers[taker] = NO_TAKER;
      cache.setPending(block, taker);
      this.#blockCount++;
      return taker;
    }
    this.#nextTakers[taker] = this.#nextTakers[pending]!;
    this.#nextTakers[pending] = taker;
    return undefined;
  }

  wantsOf(taker: number): WaitingWants {
    return this.#wants[taker]!;
  }

  /** Which of its wanted blocks a taker takes. */
  indexOf(taker: number): number {
    return this.#indices[taker]!;
  }

  /** The next taker of a pending block, from its own number on; `NO_TAKER` after the last. */
  nextTaker(taker: number): number {
    return this.#nextTakers[taker]!;
  }

  blockOf(pending: number): number {
    return this.#wants[pending]!.wanted.blocks[this.#indices[pending]!]!;
  }

  /** `[n][2]`: where readers find pending blocks: number of the partition in the store, block. */
  placesOf(pendings: readonly number[]): Int32Array {
    const places = new Int32Array(2 * pendings.length);
    for (let i = 0; i < pendings.length; i++) {
      const pending = pendings[i]!;
      places[2 * i] = this.#wants[pending]!.wanted.cache.partition.number;
      places[2 * i + 1] = this.blockOf(pending);
    }
    return places;
  }

  /** Sorts pending blocks by their place in the file. */
  sortByPlace(pendings: number[]): void {
    const isInOrder = pendings.every(
      (pending, i) => i === 0 || this.#placeOf(pendings[i - 1]!) < this.#placeOf(pending),
    );
    if (!isInOrder) pendings.sort((a, b) => this.#placeOf(a) - this.#placeOf(b));
  }

  /** Ends every taker's wait. */
  failAll(error: unknown): void {
    for (const wants of this.#wants) wants?.wait.fail(error);
  }

  /** Forgets a pending block and its takers. */
  remove(pending: number): void {
    this.#blockCount--;
    this.#wants[pending]!.wanted.cache.clearPending(this.blockOf(pending), pending);
    let taker = pending;
    while (taker !== NO_TAKER) {
      const next = this.#nextTakers[taker]!;
      this.#wants[taker] = undefined;
      this.#nextTakers[taker] = this.#free;
      this.#free = taker;
      taker = next;
    }
  }

  #placeOf(pending: number): number {
    return this.#wants[pending]!.wanted.cache.partition.firstBlock + this.blockOf(pending);
  }

  #takeEntry(): number {
    const taker = this.#free;
    if (taker === NO_TAKER) {
      if (this.#entryCount === this.#indices.length) this.#grow();
      return this.#entryCount++;
    }
    this.#free = this.#nextTakers[taker]!;
    return taker;
  }

  #grow(): void {
    const indices = new Uint32Array(2 * this.#indices.length);
    indices.set(this.#indices);
    this.#indices = indices;
    const nextTakers = new Int32Array(2 * this.#nextTakers.length);
    nextTakers.set(this.#nextTakers);
    this.#nextTakers = nextTakers;
  }
}
