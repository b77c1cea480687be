import { ShardpoolError } from "../../lib/errors.js";

/** Lets a bounded number in at a time, the others in the order they came, and refuses past a bound. */
export class WaitingRoom {
  readonly #insideMax: number;
  readonly #queuedMax: number;
  #insideCount = 0;
  readonly #queue: (() => void)[] = [];

  constructor(insideMax: number, queuedMax: number) {
    this.#insideMax = insideMax;
    this.#queuedMax = queuedMax;
  }

  get hasRoom(): boolean {
    return this.#insideCount < this.#insideMax;
  }

  /**
   * Resolves when the caller is inside; it must `leave`.
   *
   * @throws ShardpoolError SERVER_OVERLOADED when too many wait already.
   */
  async enter(): Promise<void> {
    if (this.hasRoom) {
      this.#insideCount++;
      return;
    }
    if (this.#queue.length >= this.#queuedMax) {
      throw new ShardpoolError(
        "SERVER_OVERLOADED",
        `${this.#insideMax} lookups wait for blocks and ${this.#queue.length} for their turn, the limit is ${this.#queuedMax}`,
      );
    }
    // Whoever leaves hands its place on, so the count stays.
    await new Promise<void>((resolve) => this.#queue.push(resolve));
  }

  leave(): void {
    const next = this.#queue.shift();
    if (next) next();
    else this.#insideCount--;
  }
}
