import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
} from "hdr-histogram-js";

/** Milliseconds at the percentiles that reports show. */
export interface LatencySummary {
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly mean: number;
}

/** A histogram as it goes from one process to another. */
export interface HistogramSnapshot {
  readonly encoded: string;
  /** Of the values as they were recorded, which the histogram's own buckets round. */
  readonly sumUs: number;
}

/** One hour; a longer value is recorded as one hour. */
const HIGHEST_US = 3600 * 1e6;

/** Counts latencies in microseconds with three significant digits, and merges without loss. */
export class LatencyHistogram {
  readonly #histogram: Histogram;
  #sumUs = 0;

  constructor(histogram: Histogram = emptyHistogram()) {
    this.#histogram = histogram;
    this.#sumUs = histogram.totalCount === 0 ? 0 : histogram.mean * histogram.totalCount;
  }

  get count(): number {
    return this.#histogram.totalCount;
  }

  recordMs(valueMs: number): void {
    this.recordUs(valueMs * 1000);
  }

  /** A negative value, which only clocks that disagree can give, counts as 0. */
  recordUs(valueUs: number): void {
    const clamped = Math.min(Math.max(Math.round(valueUs), 0), HIGHEST_US);
    this.#histogram.recordValue(clamped);
    this.#sumUs += clamped;
  }

  add(other: LatencyHistogram): void {
    this.#histogram.add(other.#histogram);
    this.#sumUs += other.#sumUs;
  }

  snapshot(): HistogramSnapshot {
    return { encoded: this.encode(), sumUs: this.#sumUs };
  }

  addSnapshot({ encoded, sumUs }: HistogramSnapshot): void {
    this.#histogram.add(decodeFromCompressedBase64(encoded, 32));
    this.#sumUs += sumUs;
  }

  /**
   * Milliseconds that this percentage of all values do not exceed; 0 when there are none. A bucket
   * stands for its highest value, which may be above all that were recorded: never more than `maxMs`.
   */
  percentileMs(percentile: number): number {
    return Math.min(this.#histogram.getValueAtPercentile(percentile) / 1000, this.maxMs);
  }

  get meanMs(): number {
    return this.count === 0 ? 0 : this.#sumUs / this.count / 1000;
  }

  get maxMs(): number {
    return this.#histogram.maxValue / 1000;
  }

  /** `null` when nothing was recorded: no number would be true. */
  summary(): LatencySummary | null {
    if (this.count === 0) return null;
    return {
      p50: this.percentileMs(50),
      p90: this.percentileMs(90),
      p95: this.percentileMs(95),
      p99: this.percentileMs(99),
      p999: this.percentileMs(99.9),
      max: this.maxMs,
      mean: this.meanMs,
    };
  }

  /** HdrHistogram's V2 form, deflated, in base64: what result files carry and other tools read. */
  encode(): string {
    return encodeIntoCompressedBase64(this.#histogram);
  }

  static decode(text: string): LatencyHistogram {
    return new LatencyHistogram(decodeFromCompressedBase64(text, 32));
  }

  /** The percentile distribution in HdrHistogram's own text format (`.hgrm`), in milliseconds. */
  toHgrm(): string {
    return this.#histogram.outputPercentileDistribution(5, 1000);
  }
}

function emptyHistogram(): Histogram {
  return build({
    bitBucketSize: 32,
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST_US,
    numberOfSignificantValueDigits: 3,
    useWebAssembly: false,
  });
}
