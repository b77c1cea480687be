import { mix32 } from "../random.js";
import type { MissRatioPoint, TableStats } from "./access-stats.js";
import { LruStack } from "./lru-stack.js";
import { missRatioAt, thinCurve } from "./miss-ratio-curve.js";
import { nextCurveRows } from "./row-counts.js";

/** Rows a table's sample holds unless told; 8192 gave a mean error of 0.01 in the paper. */
export const SAMPLED_ROWS_MAX = 16_384;

/** Share of the sampled rows that stay when the sample is full. */
const KEPT_SHARE = 0.75;
/**
 * After so many reads of the sample, half of its rows have been followed for long enough, down to a few:
 * small tables are read most, and following every read of all of them costs more than all else.
 */
const READS_A_RATE = 2 ** 20;
const FEW_ROWS = 2048;
/** The rows are told apart from those that other uses of the hash pick. */
const SAMPLE_SALT = 0x5ca1ab1e;
const HASH_RANGE = 4294967296;
/** Rows are counted in so many groups, whose spread says how far the sample can be off. */
const GROUP_COUNT = 16;
/** A point of the curve below so many sampled rows would be noise. */
const POINT_SAMPLES_MIN = 64;
/** Standard errors stated: 99 % at 15 degrees of freedom. */
const STANDARD_ERRORS = 3;
/** What leaving out points costs. */
const THINNING_ERROR = 0.0005;

/** Sizes at which a curve may have a point, rising by 19 %. */
const SIZES = Float64Array.from(curveSizes());

/** Index into SIZES by rows, for the sizes of a sample: a search costs as much as the tree walk. */
const SMALL_SIZES = Uint8Array.from({ length: 32_768 }, (_, rows) => searchSize(rows));

/** What a table's reads say about an LRU cache over its rows. */
export interface MissRatioResult
  extends Pick<TableStats, "missRatioCurve" | "missRatioError" | "missRatioMethod"> {
  /** Rows read at least once, estimated from the sample; exact at a rate of 1. */
  readonly distinctRowCount: number;
  /** Three standard errors of it, relative; 0 when exact. */
  readonly distinctRowError: number;
  /** Share of the rows whose reads were followed at the end. */
  readonly sampleRate: number;
}

/**
 * The LRU miss-ratio curve of one table, from the reads of the rows whose hash lies below a
 * threshold: fixed-size SHARDS (Waldspurger et al., "Efficient MRC construction with SHARDS", FAST
 * 2015). When more than `sampledRowsMax` rows are followed, the threshold falls until three quarters
 * are left. A read counts with the inverse of the rate it was seen at, and what the sampled reads lack of all
 * reads are hits at any size (SHARDS-adj): the hottest rows, which miss least, decide how many reads
 * a sample sees, and this takes them out of the error.
 */
export class MissRatioCounter {
  readonly #sampledRowsMax: number;
  readonly #stack = new LruStack();
  /** Reads by group and the size that turns them into hits; weighted by the rate. */
  readonly #reads = new Float64Array(GROUP_COUNT * SIZES.length);
  readonly #firstReads = new Float64Array(GROUP_COUNT);
  #threshold = HASH_RANGE;
  #readCount = 0;
  /** Since the threshold was lowered. */
  #followedReads = 0;

  /** @param sampledRowsMax Infinity follows every row: exact, some 100 ns a read and 24 to 48 bytes a row. */
  constructor(sampledRowsMax: number = SAMPLED_ROWS_MAX) {
    this.#sampledRowsMax = sampledRowsMax;
  }

  /** Counts the reads `rowIds[start … end)`, in order. */
  addAll(rowIds: Int32Array, start: number, end: number): void {
    this.#readCount += end - start;
    let threshold = this.#threshold;
    for (let i = start; i < end; i++) {
      const rowId = rowIds[i]!;
      const hash = mix32(rowId ^ SAMPLE_SALT);
      if (hash >= threshold) continue;
      this.#addSampled(rowId, hash);
      threshold = this.#threshold;
    }
  }

  result(): MissRatioResult {
    const rate = this.#threshold / HASH_RANGE;
    const rows = this.#stack.size;
    const distinct = {
      distinctRowCount: Math.round(rows / rate),
      distinctRowError:
        rate === 1 ? 0 : STANDARD_ERRORS * Math.sqrt((1 - rate) / Math.max(1, rows)),
      sampleRate: rate,
    };
    if (this.#readCount === 0) {
      return { missRatioCurve: [], missRatioError: null, missRatioMethod: "none", ...distinct };
    }
    const { points, spreads } = this.#curve(rate);
    return {
      missRatioCurve: thinCurve(points, THINNING_ERROR),
      missRatioError: Math.min(1, THINNING_ERROR + errorOf(points, spreads, rate)),
      missRatioMethod: rate === 1 ? "exact" : "sampled",
      ...distinct,
    };
  }

  #addSampled(rowId: number, hash: number): void {
    const rate = this.#threshold / HASH_RANGE;
    const distance = this.#stack.read(rowId);
    if (++this.#followedReads > READS_A_RATE && this.#sampledRowsMax < Number.POSITIVE_INFINITY) {
      this.#lowerThreshold(Math.max(FEW_ROWS, this.#stack.size / 2));
    }
    // The high bits chose the row, so the low ones are still even among the chosen.
    const group = hash & (GROUP_COUNT - 1);
    if (distance >= 0) {
      const size = sizeIndexOf(distance / rate + 1);
      this.#reads[group * SIZES.length + size]! += 1 / rate;
      return;
    }
    this.#firstReads[group]! += 1 / rate;
    if (this.#stack.size > this.#sampledRowsMax) {
      this.#lowerThreshold(this.#sampledRowsMax * KEPT_SHARE);
    }
  }

  /** Steps down by a quarter, so that the stack is sifted once in thousands of new rows. */
  #lowerThreshold(rowsMax: number): void {
    this.#followedReads = 0;
    while (this.#stack.size > rowsMax) {
      const threshold = Math.floor(this.#threshold * KEPT_SHARE);
      this.#threshold = threshold;
      this.#stack.retain((rowId) => mix32(rowId ^ SAMPLE_SALT) < threshold);
    }
  }

  /** Points with the standard error of their misses. */
  #curve(rate: number): { points: MissRatioPoint[]; spreads: number[] } {
    const last = this.#reads.length / GROUP_COUNT - 1;
    const misses = Float64Array.from(this.#firstReads);
    const points: MissRatioPoint[] = [];
    const spreads: number[] = [];
    for (let size = last; size >= 0; size--) {
      if (SIZES[size]! * rate >= (rate === 1 ? 0 : POINT_SAMPLES_MIN) && this.#hasReadsFrom(size)) {
        const missed = misses.reduce((sum, value) => sum + value, 0);
        points.push({ rows: SIZES[size]!, missRatio: Math.min(1, missed / this.#readCount) });
        spreads.push((standardErrorOf(misses) * Math.sqrt(1 - rate)) / this.#readCount);
      }
      for (let group = 0; group < GROUP_COUNT; group++) {
        misses[group]! += this.#reads[group * SIZES.length + size]!;
      }
    }
    if (points.at(-1)?.rows !== 0) {
      points.push({ rows: 0, missRatio: 1 });
      spreads.push(0);
    }
    return { points: points.reverse(), spreads: spreads.reverse() };
  }

  /** Whether a read needs this size or the next smaller one; larger sizes would repeat the last point. */
  #hasReadsFrom(size: number): boolean {
    for (let group = 0; group < GROUP_COUNT; group++) {
      const at = group * SIZES.length;
      for (let s = size; s < SIZES.length; s++) if (this.#reads[at + s]! > 0) return true;
    }
    return false;
  }
}

/** Standard error of the sum over groups. */
function standardErrorOf(values: Float64Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt((values.length / (values.length - 1)) * squares);
}

/**
 * The largest error over the curve: which rows were sampled makes it too high or too low, and a
 * distance of d sampled rows is off by a share of 1/sqrt(d), which shifts it to one side.
 */
function errorOf(
  points: readonly MissRatioPoint[],
  spreads: readonly number[],
  rate: number,
): number {
  if (rate === 1) return 0;
  let largest = 0;
  points.forEach(({ rows }, i) => {
    const shift = rows === 0 ? 0 : Math.sqrt((1 - rate) / (rows * rate));
    const slope = missRatioAt(points, rows * (1 - shift)) - missRatioAt(points, rows * (1 + shift));
    largest = Math.max(largest, STANDARD_ERRORS * spreads[i]! + slope / 2);
  });
  return largest;
}

/** Index of the smallest size that is at least `rows`. */
function sizeIndexOf(rows: number): number {
  return rows < SMALL_SIZES.length ? SMALL_SIZES[Math.ceil(rows)]! : searchSize(rows);
}

function searchSize(rows: number): number {
  let low = 0;
  let high = SIZES.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (SIZES[middle]! >= rows) high = middle;
    else low = middle + 1;
  }
  return low;
}

function curveSizes(): number[] {
  const sizes = [0];
  while (sizes.at(-1)! < 2 ** 31) sizes.push(nextCurveRows(sizes.at(-1)!));
  return sizes;
}
