import { ShardpoolError } from "../../lib/errors.js";

/**
 * Lets a bounded number of lookups in at a time, the others in the order they came, and refuses past a
 * bound. Each has a share of the bytes for missed rows: an equal share of half of them, which is always
 * left for whoever comes, and half of what is left of the other half. So a lookup that is alone has a
 * quarter of all, and a crowd gets by.
 */
export class WaitingRoom {
  readonly #insideMax: number;
  readonly #queuedMax: number;
  readonly #equalShare: number;
  #bytesLeft: number;
  #insideCount = 0;
  readonly #queue: ((share: number) => void)[] = [];

  /** @param bytesMax What all inside may hold together. */
  constructor(insideMax: number, queuedMax: number, bytesMax: number) {
    this.#insideMax = insideMax;
    this.#queuedMax = queuedMax;
    this.#equalShare = Math.floor(bytesMax / (2 * insideMax));
    this.#bytesLeft = bytesMax;
  }

  get hasRoom(): boolean {
    return this.#insideCount < this.#insideMax;
  }

  /** Bytes that `enter` would let the next one hold; there is room. */
  get nextShare(): number {
    const reserved = (this.#insideMax - this.#insideCount) * this.#equalShare;
    return this.#equalShare + Math.floor((this.#bytesLeft - reserved) / 2);
  }

  /**
   * Resolves when the caller is inside; at once when there is room. It must `leave`.
   *
   * @returns The bytes it may hold.
   * @throws ShardpoolError SERVER_OVERLOADED when too many wait already.
   */
  enter(): number | Promise<number> {
    if (this.hasRoom) {
      const share = this.#takeShare();
      this.#insideCount++;
      return share;
    }
    if (this.#queue.length >= this.#queuedMax) {
      throw new ShardpoolError(
        "SERVER_OVERLOADED",
        `${this.#insideMax} lookups wait for blocks and ${this.#queue.length} for their turn, the limit is ${this.#queuedMax}`,
      );
    }
    return new Promise((resolve) => this.#queue.push(resolve));
  }

  /** @param share What `enter` gave. */
  leave(share: number): void {
    this.#bytesLeft += share;
    this.#insideCount--;
    const next = this.#queue.shift();
    if (next === undefined) return;
    // The place goes to the next before anybody else can take it.
    const nextShare = this.#takeShare();
    this.#insideCount++;
    next(nextShare);
  }

  #takeShare(): number {
    const share = this.nextShare;
    this.#bytesLeft -= share;
    return share;
  }
}
