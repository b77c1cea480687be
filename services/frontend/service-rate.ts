/** What is older than about this no longer counts: a neighbour's burst is over by then. */
const MEMORY_MS = 1000;

/**
 * How fast batches are answered while queries wait, as measured. Only batches that were full tell:
 * one that left half empty says how long a batch takes, and not how many samples could have ridden.
 */
export class ServiceRate {
  #busyMs = 0;
  #sampleCount = 0;
  #batchMs = 0;
  #lastEndedAt = Number.NEGATIVE_INFINITY;

  /** Takes in a full batch; moments on one clock, in the order in which batches end. */
  record(sampleCount: number, startedAt: number, endedAt: number): void {
    // Batches overlap, so a batch stands for the time since the one before it.
    const elapsedMs = Math.max(0, endedAt - Math.max(startedAt, this.#lastEndedAt));
    this.#lastEndedAt = endedAt;
    const kept = Math.exp(-elapsedMs / MEMORY_MS);
    this.#busyMs = this.#busyMs * kept + elapsedMs;
    this.#sampleCount = this.#sampleCount * kept + sampleCount;
    const share = 1 - Math.exp(-Math.max(1, elapsedMs) / MEMORY_MS);
    const batchMs = endedAt - startedAt;
    this.#batchMs =
      this.#batchMs === 0 ? batchMs : this.#batchMs + share * (batchMs - this.#batchMs);
  }

  /** Samples a second; 0 before anything was measured. */
  get samplesPerSecond(): number {
    return this.#busyMs === 0 ? 0 : (this.#sampleCount * 1000) / this.#busyMs;
  }

  /** Milliseconds from the start of a full batch to its answer; 0 before anything was measured. */
  get batchMs(): number {
    return this.#batchMs;
  }

  /** Milliseconds until a query is answered that has this many samples before it in the queue. */
  estimateMs(samplesAhead: number): number {
    if (this.#sampleCount === 0) return 0;
    return (samplesAhead * this.#busyMs) / this.#sampleCount + this.#batchMs;
  }
}
