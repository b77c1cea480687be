/**
 * Slots of a partition whose cache is larger than a WebAssembly memory: they lie in memories beside
 * it. Kernels see one memory, so a row from here is copied into the slab's area for missed rows before
 * it is summed (test `several memories`).
 */
export class OverflowSlots {
  readonly #memories: readonly Uint8Array[];
  readonly #slotBytes: number;
  readonly #slotsPerMemory: number;

  /** @param memoryBytesMax Bytes of one memory, at least a slot. */
  constructor(slotCount: number, slotBytes: number, memoryBytesMax: number) {
    this.#slotBytes = slotBytes;
    this.#slotsPerMemory = Math.floor(memoryBytesMax / slotBytes);
    const memoryCount = Math.ceil(slotCount / this.#slotsPerMemory);
    this.#memories = Array.from({ length: memoryCount }, (_, i) => {
      const slots = Math.min(this.#slotsPerMemory, slotCount - i * this.#slotsPerMemory);
      return new Uint8Array(slots * slotBytes);
    });
  }

  /** @param slot Counted from the first one here. */
  write(slot: number, rows: Uint8Array): void {
    this.#memoryOf(slot).set(rows, this.#startOf(slot));
  }

  /** The bytes of a slot, where they lie. */
  rowsOf(slot: number): Uint8Array {
    const start = this.#startOf(slot);
    return this.#memoryOf(slot).subarray(start, start + this.#slotBytes);
  }

  /** Copies `byteCount` bytes of a slot from `offset` on. */
  copyTo(out: Uint8Array, at: number, slot: number, offset: number, byteCount: number): void {
    const from = this.#startOf(slot) + offset;
    out.set(this.#memoryOf(slot).subarray(from, from + byteCount), at);
  }

  #memoryOf(slot: number): Uint8Array {
    return this.#memories[Math.floor(slot / this.#slotsPerMemory)]!;
  }

  #startOf(slot: number): number {
    return (slot % this.#slotsPerMemory) * this.#slotBytes;
  }
}
