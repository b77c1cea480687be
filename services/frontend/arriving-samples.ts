/** A client that sends the beginning of a query and no more keeps its place this long. */
const PLACE_MS_MAX = 1000;

interface Place {
  readonly sampleCount: number;
  readonly priority: number;
  readonly since: number;
}

/** Samples of queries that are still being received, by priority. */
export class ArrivingSamples {
  /** In the order in which they began. */
  readonly #places = new Set<Place>();

  /** @returns Takes the samples away again; harmless when called twice. */
  add(sampleCount: number, priority: number, nowMs: number): () => void {
    const place = { sampleCount, priority, since: nowMs };
    this.#places.add(place);
    return () => this.#places.delete(place);
  }

  /** Samples of this priority and of higher ones, which have lower numbers. */
  count(priority: number, nowMs: number): number {
    let sampleCount = 0;
    for (const place of this.#places) {
      if (nowMs - place.since > PLACE_MS_MAX) this.#places.delete(place);
      else if (place.priority <= priority) sampleCount += place.sampleCount;
    }
    return sampleCount;
  }
}
