import { Random } from "../../../lib/random.js";
import type { ClickBatch } from "../click-batch.js";
import { queryTimes } from "../query-times.js";
import type { ImportedSample } from "./import-format.js";

/** Samples written at a time. */
const SAMPLES_MAX = 4096;

/**
 * Gathers imported samples column by column. Foreign logs have no queries: samples are grouped in their
 * order, into queries of MLPerf's sizes at Poisson times.
 */
export class SampleBuffer {
  readonly #denseFeatureCount: number;
  readonly #times: ReturnType<typeof queryTimes>;
  #query = -1;
  #queryTimeMs = 0;
  /** Samples the open query still takes. */
  #queryRest = 0;
  #queries: number[] = [];
  #timestampsMs: number[] = [];
  #labels: number[] = [];
  #dense: number[] = [];
  #rowIds: number[][];
  #offsets: number[][];

  constructor(denseFeatureCount: number, featureCount: number, seed: number) {
    this.#denseFeatureCount = denseFeatureCount;
    this.#times = queryTimes(new Random(seed, "queries"));
    this.#rowIds = Array.from({ length: featureCount }, () => []);
    this.#offsets = this.#rowIds.map(() => [0]);
  }

  get isFull(): boolean {
    return this.#labels.length >= SAMPLES_MAX;
  }

  get queryCount(): number {
    return this.#query + 1;
  }

  add({ label, dense, bags }: ImportedSample): void {
    if (this.#queryRest === 0) this.#openQuery();
    this.#queryRest--;
    this.#queries.push(this.#query);
    this.#timestampsMs.push(this.#queryTimeMs);
    this.#labels.push(label);
    for (let i = 0; i < this.#denseFeatureCount; i++) this.#dense.push(dense[i]!);
    for (let f = 0; f < bags.length; f++) {
      const rowIds = this.#rowIds[f]!;
      for (const rowId of bags[f]!) rowIds.push(rowId);
      this.#offsets[f]!.push(rowIds.length);
    }
  }

  /** Gives what has been gathered, and starts anew. */
  take(): ClickBatch {
    const batch: ClickBatch = {
      sampleCount: this.#labels.length,
      queries: Int32Array.from(this.#queries),
      timestampsMs: Float64Array.from(this.#timestampsMs),
      labels: Uint8Array.from(this.#labels),
      dense: Float32Array.from(this.#dense),
      features: this.#rowIds.map((rowIds, f) => ({
        offsets: Int32Array.from(this.#offsets[f]!),
        rowIds: Int32Array.from(rowIds),
      })),
    };
    this.#queries = [];
    this.#timestampsMs = [];
    this.#labels = [];
    this.#dense = [];
    this.#rowIds = this.#rowIds.map(() => []);
    this.#offsets = this.#rowIds.map(() => [0]);
    return batch;
  }

  #openQuery(): void {
    const { sampleCount, timeMs } = this.#times.next().value;
    this.#query++;
    this.#queryRest = sampleCount;
    this.#queryTimeMs = timeMs;
  }
}
