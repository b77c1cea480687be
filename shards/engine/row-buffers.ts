/** Buffers kept at most: one is looked for among all of them. */
const KEPT_COUNT_MAX = 64;

/** How much longer than asked for a buffer may be that is used again. */
const SLACK = 1.25;

/**
 * Buffers for the missed rows of lookups. Those given back are used again, up to a bound: V8 counts what
 * lies outside its heap, and collects the whole heap for every few dozen MiB of new buffers.
 */
export class RowBuffers {
  readonly #keptBytesMax: number;
  #keptBytes = 0;
  /** The last one given back is the likeliest to be in the processor's caches. */
  readonly #kept: Uint8Array[] = [];

  /** @param keptBytesMax Bytes of buffers that nobody uses. */
  constructor(keptBytesMax: number) {
    this.#keptBytesMax = keptBytesMax;
  }

  /** A buffer of `bytes` or a little more; its bytes are whatever they were. */
  take(bytes: number): Uint8Array {
    for (let i = this.#kept.length - 1; i >= 0; i--) {
      const buffer = this.#kept[i]!;
      if (buffer.length < bytes || buffer.length > bytes * SLACK) continue;
      if (i === this.#kept.length - 1) this.#kept.pop();
      else this.#kept.splice(i, 1);
      this.#keptBytes -= buffer.length;
      return buffer;
    }
    return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
  }

  /** Nobody reads or writes the buffer any more. */
  giveBack(buffer: Uint8Array): void {
    if (buffer.length === 0 || buffer.length > this.#keptBytesMax) return;
    this.#kept.push(buffer);
    this.#keptBytes += buffer.length;
    while (this.#keptBytes > this.#keptBytesMax || this.#kept.length > KEPT_COUNT_MAX) {
      this.#keptBytes -= this.#kept.shift()!.length;
    }
  }
}
