import type { LookupSegment } from "./lookup-request.js";
import type { LookupTally } from "./lookup-tally.js";
import {
  type MissedRows,
  type MissingValues,
  NO_MISSED_ROWS,
  type WantedBlocks,
} from "./missed-rows.js";
import type { PartitionCache } from "./partition-cache.js";

/**
 * One segment of a lookup on its way. Its bags are summed in order, so how far it is comes down to a
 * cursor: everything before it is in the sums, nothing after it.
 */
export class SegmentJob {
  readonly cache: PartitionCache;
  readonly #segment: LookupSegment;
  readonly #tally: LookupTally;
  readonly #missing: MissingValues;
  /** `[bags][columns]`, this segment's part of the answer. */
  readonly #sums: Float32Array;
  /** Values summed so far. */
  #cursor = 0;
  /** The bag the cursor is in, and how many of its values are still to come. */
  #bag = 0;
  #bagRest: number;
  /** Values already counted as hit or missed. */
  #countedTo = 0;
  #missed: MissedRows = NO_MISSED_ROWS;
  #isStarted = false;

  constructor(
    segment: LookupSegment,
    cache: PartitionCache,
    sums: Float32Array,
    tally: LookupTally,
    missing: MissingValues,
  ) {
    this.#missing = missing;
    this.#segment = segment;
    this.cache = cache;
    this.#sums = sums;
    this.#tally = tally;
    this.#bagRest = segment.lengths[0] ?? 0;
  }

  /**
   * Sums what is at hand.
   *
   * @param mayWant With false, it only sums.
   * @returns The blocks it waits for, "none" when it may not want any; nothing when it is done.
   */
  advance(mayWant: boolean): WantedBlocks | "none" | undefined {
    if (!this.#isStarted) {
      if (this.#fitsScratch() && this.#poolWhole()) return undefined;
      this.#sums.fill(0);
      this.#isStarted = true;
    }
    return this.#poolInParts(mayWant);
  }

  #fitsScratch(): boolean {
    const { scratch } = this.cache.slab;
    const { lengths, values } = this.#segment;
    return (
      values.length <= scratch.valueCount &&
      lengths.length <= scratch.lengthCount &&
      this.#sums.byteLength <= scratch.outBytes
    );
  }

  /** The way of most segments: every row is in memory, and one call of a kernel sums it all. */
  #poolWhole(): boolean {
    const { lengths, values, weights } = this.#segment;
    const { scratch, float32, uint32 } = this.cache.slab;
    const missCount = this.#resolve(0, values.length);
    if (missCount > 0) return false;
    this.#tally.memoryLap();

    const out = scratch.outPtr >> 2;
    uint32.set(lengths, scratch.lengthsPtr >> 2);
    if (weights) float32.set(weights, scratch.weightsPtr >> 2);
    float32.fill(0, out, out + this.#sums.length);
    this.cache.pool(scratch.addressesPtr, lengths.length, weights && scratch.weightsPtr);
    this.#sums.set(float32.subarray(out, out + this.#sums.length));
    this.#tally.poolLap();
    this.#isStarted = true;
    this.#cursor = values.length;
    return true;
  }

  /** Sums in parts that fit the scratch areas, up to the first row that is not at hand. */
  #poolInParts(mayWant: boolean): WantedBlocks | "none" | undefined {
    const { values, weights } = this.#segment;
    const { scratch, float32 } = this.cache.slab;
    while (this.#cursor < values.length) {
      const from = this.#cursor;
      const to = Math.min(values.length, from + scratch.valueCount);
      const missCount = this.#resolve(from, to);
      const { stop, missNumber, keptFrom, isRoomShort } = this.#provideRows(from, to, missCount);
      if (weights) float32.set(weights.subarray(from, stop), scratch.weightsPtr >> 2);
      this.#tally.memoryLap();
      this.#poolBags(stop);
      this.#tally.poolLap();
      if (missNumber < missCount && !isRoomShort) {
        if (!mayWant) return "none";
        const wanted = this.#wantFrom(from, to, missNumber, missCount, keptFrom);
        this.#tally.memoryLap();
        return wanted;
      }
    }
    this.#hold(NO_MISSED_ROWS);
    return undefined;
  }

  /** Addresses of values `[from, to)`; those that are not in memory are in the misses area. */
  #resolve(from: number, to: number): number {
    const { scratch, uint32 } = this.cache.slab;
    const { values } = this.#segment;
    const part = from === 0 && to === values.length ? values : values.subarray(from, to);
    uint32.set(part, scratch.positionsPtr >> 2);
    const missCount = this.cache.resolve(part.length);
    if (to > this.#countedTo) this.#count(from, to, missCount);
    return missCount;
  }

  /** Counts the values that no earlier pass has counted. */
  #count(from: number, to: number, missCount: number): void {
    const { scratch, uint32 } = this.cache.slab;
    const misses = scratch.missesPtr >> 2;
    const positions = scratch.positionsPtr >> 2;
    let i = 0;
    while (i < missCount && from + uint32[misses + i]! < this.#countedTo) i++;
    let missed = missCount - i;
    for (; this.cache.hasOverflow && i < missCount; i++) {
      if (this.cache.isInOverflow(uint32[positions + uint32[misses + i]!]!)) missed--;
    }
    const seen = to - Math.max(from, this.#countedTo);
    this.#tally.rowsMissed += missed;
    this.#tally.rowsHit += seen - missed;
    this.cache.countRows(seen - missed, missed);
    this.#countedTo = to;
  }

  /**
   * Puts rows that are at hand outside the slab, copies of missed ones and those in overflow, where
   * kernels can read them, and their addresses in place.
   *
   * @returns The first value that has no address yet, the number of its miss (the count of misses
   * when there is none), the first held row that is not used up by then, and whether it is only room
   * that was short.
   */
  #provideRows(
    from: number,
    to: number,
    missCount: number,
  ): { stop: number; missNumber: number; keptFrom: number; isRoomShort: boolean } {
    const { scratch, uint32, bytes } = this.cache.slab;
    const { valueIndices, rows } = this.#missed;
    const { rowBytes } = this.cache.partition;
    const addresses = scratch.addressesPtr >> 2;
    const misses = scratch.missesPtr >> 2;
    const positions = scratch.positionsPtr >> 2;
    const rowsEnd = scratch.rowsPtr + scratch.rowBytes;
    let held = 0;
    while (held < valueIndices.length && valueIndices[held]! < from) held++;
    const bulkFrom = held;
    const bulkTo = bulkFrom + this.#copyHeldRows(bulkFrom);
    let rowPtr = scratch.rowsPtr + (bulkTo - bulkFrom) * rowBytes;
    for (let i = 0; i < missCount; i++) {
      const offset = uint32[misses + i]!;
      // A held row is left out when its block has come into memory since.
      while (held < valueIndices.length && valueIndices[held]! < from + offset) held++;
      if (held < bulkTo && valueIndices[held] === from + offset) {
        uint32[addresses + offset] = scratch.rowsPtr + (held - bulkFrom) * rowBytes;
        continue;
      }
      const position = uint32[positions + offset]!;
      const isHeld = valueIndices[held] === from + offset;
      const isAtHand = isHeld || this.cache.isInOverflow(position);
      if (!isAtHand || rowPtr + rowBytes > rowsEnd) {
        return { stop: from + offset, missNumber: i, keptFrom: held, isRoomShort: isAtHand };
      }
      if (isHeld) bytes.set(rows.subarray(held * rowBytes, (held + 1) * rowBytes), rowPtr);
      else this.cache.copyOverflowRow(position, rowPtr);
      uint32[addresses + offset] = rowPtr;
      rowPtr += rowBytes;
    }
    while (held < valueIndices.length && valueIndices[held]! < to) held++;
    return { stop: to, missNumber: missCount, keptFrom: held, isRoomShort: false };
  }

  /**
   * Copies held rows to the start of the area for rows, from one on as many as it holds, at once. Where
   * rows in overflow have to share the area with them, they go one by one.
   *
   * @returns How many.
   */
  #copyHeldRows(from: number): number {
    const { scratch, bytes } = this.cache.slab;
    const { valueIndices, rows } = this.#missed;
    const { rowBytes } = this.cache.partition;
    if (this.cache.hasOverflow) return 0;
    const count = Math.min(valueIndices.length - from, Math.floor(scratch.rowBytes / rowBytes));
    if (count > 0)
      bytes.set(rows.subarray(from * rowBytes, (from + count) * rowBytes), scratch.rowsPtr);
    return count;
  }

  /** Sums values from the cursor to `stop`, whose addresses start the addresses area. */
  #poolBags(stop: number): void {
    const { scratch, float32 } = this.cache.slab;
    const { columnCount } = this.cache;
    const from = this.#cursor;
    const out = scratch.outPtr >> 2;
    while (this.#cursor < stop) {
      const skippedBytes = (this.#cursor - from) * 4;
      const firstBag = this.#bag;
      const bagCount = this.#takeBags(stop);
      const sums = this.#sums.subarray(firstBag * columnCount, (firstBag + bagCount) * columnCount);
      float32.set(sums, out);
      this.cache.pool(
        scratch.addressesPtr + skippedBytes,
        bagCount,
        this.#segment.weights && scratch.weightsPtr + skippedBytes,
      );
      sums.set(float32.subarray(out, out + sums.length));
    }
  }

  /** Moves the cursor over as many bags as the scratch areas take, the last one perhaps in part. */
  #takeBags(stop: number): number {
    const { scratch, uint32 } = this.cache.slab;
    const { lengths } = this.#segment;
    const bagsMax = Math.min(
      scratch.lengthCount,
      Math.floor(scratch.outBytes / (this.cache.columnCount * 4)),
    );
    let bagCount = 0;
    while (bagCount < bagsMax && this.#cursor < stop) {
      const taken = Math.min(this.#bagRest, stop - this.#cursor);
      uint32[(scratch.lengthsPtr >> 2) + bagCount++] = taken;
      this.#cursor += taken;
      this.#bagRest -= taken;
      if (this.#bagRest === 0) this.#bagRest = lengths[++this.#bag] ?? 0;
    }
    return bagCount;
  }

  /** Lists the missing values from one miss on, as many as the bound on copied rows allows. */
  #wantFrom(
    from: number,
    to: number,
    missNumber: number,
    missCount: number,
    keptFrom: number,
  ): WantedBlocks {
    const missing = this.#missing;
    missing.begin(this.#missed, keptFrom, this.cache.partition.rowBytes);
    const bytesMax = this.#tally.missedBytesLeft + this.#missed.rows.length;
    let first = missNumber;
    let partFrom = from;
    let partTo = to;
    let count = missCount;
    while (this.#addMissing(partFrom, first, count, bytesMax)) {
      if (partTo === this.#segment.values.length) break;
      partFrom = partTo;
      partTo = Math.min(this.#segment.values.length, partFrom + this.cache.slab.scratch.valueCount);
      first = 0;
      count = this.#resolve(partFrom, partTo);
    }
    const { missed, wanted } = missing.plan(this.cache);
    this.#hold(missed);
    return wanted;
  }

  /** @returns False when the bound is reached. */
  #addMissing(from: number, firstMiss: number, missCount: number, bytesMax: number): boolean {
    const missing = this.#missing;
    const { scratch, uint32 } = this.cache.slab;
    const misses = scratch.missesPtr >> 2;
    const positions = scratch.positionsPtr >> 2;
    for (let i = firstMiss; i < missCount; i++) {
      const index = from + uint32[misses + i]!;
      // Resolving has left the positions of this very part there.
      const position = uint32[positions + index - from]!;
      if (missing.isHeld(index) || this.cache.isInOverflow(position)) continue;
      // One row is always taken, so that every pass gets further.
      if (missing.count > 0 && missing.isFull(bytesMax)) return false;
      missing.add(index, this.cache.blockOf(position), this.cache.rowInBlock(position));
    }
    return true;
  }

  #hold(missed: MissedRows): void {
    this.#tally.missedBytesLeft += this.#missed.rows.length - missed.rows.length;
    this.#missing.giveBack(this.#missed);
    this.#missed = missed;
  }
}
