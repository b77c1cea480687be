import { Random } from "../../lib/random.js";
import { ACCESS_COUNTED_ROWS_MAX } from "../../lib/stats/access-counter-bytes.js";
import {
  createRowCounters,
  type RowCounter,
  TABLE_READS_MAX,
} from "../../lib/stats/row-counter.js";
import type { RowCounts } from "../../lib/stats/row-counts.js";
import type { LookupRequest } from "./lookup-request.js";

/** One lookup of so many is counted: about 1.5 % of what lookups in memory cost (bench access-counts). */
export const DEFAULT_ACCESS_COUNTS_EVERY = 64;

/** Any will do, and the same one makes runs repeat. */
const SEED = 1;

/** Row reads of one partition in the lookups that were counted, repeats counted. */
export interface PartitionAccess {
  readonly readCount: number;
  /** Row ids local to the partition. */
  readonly counts: RowCounts;
  /** What a count may lack, and what a row without one may have been read: above 0 when sketched. */
  readonly droppedCountMax: number;
  /** Its reads came to 2^32 - 1, and those of later lookups were not counted. */
  readonly isFull: boolean;
}

/** What was read since the last reset. */
export interface AccessSnapshot {
  /** One lookup in so many was counted. */
  readonly every: number;
  /** Lookups and their samples, those that were not counted included. */
  readonly lookupCount: number;
  readonly sampleCount: number;
  /** Takes time by the rows that were read, and lists what was counted until then. */
  accessOf(partition: number): PartitionAccess;
}

interface Tally {
  readonly counter: RowCounter;
  readCount: number;
  isFull: boolean;
}

/**
 * Counts row reads of one lookup in `every`, at a drawn place in each run of so many: under a steady
 * load a count times `every` is then as far off as if each single read had been drawn.
 */
export class AccessCounter {
  readonly every: number;
  readonly #rowCounts: readonly number[];
  readonly #rowsMax: number;
  readonly #random: Random;
  #tallies: Tally[];
  #lookupCount = 0;
  #sampleCount = 0;
  /** Lookups until the next that is counted, and from there to the end of its run. */
  #untilCounted = 0;
  #afterCounted = 0;

  /** @param rowCounts Rows of each partition. */
  constructor(
    rowCounts: readonly number[],
    every: number,
    { rowsMax = ACCESS_COUNTED_ROWS_MAX, seed = SEED } = {},
  ) {
    this.every = every;
    this.#rowCounts = rowCounts;
    this.#rowsMax = rowsMax;
    this.#random = new Random(seed, "access counts");
    this.#tallies = talliesFor(rowCounts, rowsMax);
    this.#drawRun();
  }

  /** Takes note of a lookup that was found valid. */
  count(request: LookupRequest): void {
    this.#lookupCount++;
    this.#sampleCount += request.sampleCount;
    if (this.#untilCounted > 0) {
      this.#untilCounted--;
      return;
    }
    this.#drawRun();
    for (const { partition, values } of request.segments) {
      countInto(this.#tallies[partition]!, values);
    }
  }

  /** @param reset Goes on with new counters, all at 0; those handed out stay as they are. */
  snapshot(reset: boolean): AccessSnapshot {
    const tallies = this.#tallies;
    const snapshot = {
      every: this.every,
      lookupCount: this.#lookupCount,
      sampleCount: this.#sampleCount,
      accessOf: (partition: number) => accessOf(tallies[partition]!),
    };
    if (reset) {
      this.#tallies = talliesFor(this.#rowCounts, this.#rowsMax);
      this.#lookupCount = 0;
      this.#sampleCount = 0;
    }
    return snapshot;
  }

  #drawRun(): void {
    const place = this.#random.nextBelow(this.every);
    this.#untilCounted = this.#afterCounted + place;
    this.#afterCounted = this.every - 1 - place;
  }
}

function accessOf({ counter, readCount, isFull }: Tally): PartitionAccess {
  const { droppedCountMax } = counter;
  return { readCount, counts: counter.toRowCounts(), droppedCountMax, isFull };
}

function talliesFor(rowCounts: readonly number[], rowsMax: number): Tally[] {
  return createRowCounters(rowCounts, rowsMax).map((counter) => ({
    ...{ counter, readCount: 0, isFull: false },
  }));
}

/** All reads of the lookup or none, so that no counter passes what it holds. */
function countInto(tally: Tally, values: Uint32Array): void {
  if (tally.readCount + values.length > TABLE_READS_MAX) {
    tally.isFull = true;
    return;
  }
  tally.readCount += values.length;
  // Rows of a table are fewer than 2^31: the same bits are the same ids.
  const rowIds = new Int32Array(values.buffer, values.byteOffset, values.length);
  tally.counter.addAll(rowIds, 0, rowIds.length);
}
