/**
 * Large float buffers that go round: a fresh one of a batch's size costs the zeroing of its pages
 * each time. A buffer may be in another thread between `take` and `give`.
 */
export class BufferPool {
  readonly #keptCountMax: number;
  readonly #free: ArrayBuffer[] = [];

  constructor(keptCountMax: number) {
    this.#keptCountMax = keptCountMax;
  }

  /** `length` values at the start of a buffer that may be longer; contents are left over. */
  take(length: number): Float32Array {
    const bytes = length * Float32Array.BYTES_PER_ELEMENT;
    const index = this.#free.findIndex((buffer) => buffer.byteLength >= bytes);
    const buffer = index < 0 ? new ArrayBuffer(bytes) : this.#free.splice(index, 1)[0]!;
    return new Float32Array(buffer, 0, length);
  }

  /** Hands a buffer back; nobody may hold a view of it. */
  give(buffer: ArrayBuffer): void {
    // The smallest goes first when there are too many: large batches are the costly ones.
    this.#free.push(buffer);
    this.#free.sort((a, b) => a.byteLength - b.byteLength);
    if (this.#free.length > this.#keptCountMax) this.#free.shift();
  }
}
