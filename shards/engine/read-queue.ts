/** Numbers in the order they came, in a ring: to take the first of thousands costs nothing. */
export class ReadQueue {
  #ring = new Int32Array(256);
  #start = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length === this.#ring.length) this.#grow();
    this.#ring[(this.#start + this.#length++) & (this.#ring.length - 1)] = value;
  }

  /** The first one; there is one. */
  shift(): number {
    const value = this.#ring[this.#start]!;
    this.#start = (this.#start + 1) & (this.#ring.length - 1);
    this.#length--;
    return value;
  }

  clear(): void {
    this.#length = 0;
  }

  #grow(): void {
    const larger = new Int32Array(2 * this.#ring.length);
    larger.set(this.#ring.subarray(this.#start));
    larger.set(this.#ring.subarray(0, this.#start), this.#ring.length - this.#start);
    this.#ring = larger;
    this.#start = 0;
  }
}
