import type { Clock } from "../../lib/clock.js";
import type { FrontendMetrics } from "./frontend-metrics.js";
import type { ModelStatistics } from "./model-statistics.js";
import type { Query } from "./query.js";
import type { LookupSpan, QueryTrace } from "./query-trace.js";
import type { ShardTimings } from "./shard-wire.js";

/** One message to one shard, as it is watched. */
export interface LookupObservation {
  /** W3C trace context to send along, or "". */
  readonly traceparent: string;
  /** @param code `OK`, or the code of the error. */
  end(code: string, timings: ShardTimings | null): void;
}

export interface BatchObserverOptions {
  readonly metrics: FrontendMetrics;
  readonly statistics: ModelStatistics;
  readonly clock: Clock;
  readonly sampleCount: number;
  /** Those that have samples in the batch. */
  readonly queries: readonly Query[];
}

/** Told what a batch goes through, for the metrics and for the traces of the queries in it. */
export class BatchObserver {
  readonly #options: BatchObserverOptions;
  readonly #startedAt: number;
  readonly #traces: readonly QueryTrace[];

  /** The batch leaves the queue. */
  static start(options: BatchObserverOptions): BatchObserver {
    const observer = new BatchObserver(options);
    observer.#recordStart();
    return observer;
  }

  private constructor(options: BatchObserverOptions) {
    this.#options = options;
    this.#startedAt = options.clock.nowMs();
    this.#traces = options.queries.flatMap(({ trace }) => trace ?? []);
  }

  /**
   * A message leaves. It serves every query of the batch and can tell the shard of one trace: the first that
   * is sampled, else the first. Each query has a span for it, linked to that one's and back.
   */
  startLookup(shardId: string): LookupObservation {
    const startedAt = this.#options.clock.nowMs();
    const told = this.#traces.find(({ isSampled }) => isSampled) ?? this.#traces[0];
    const carrier = told?.startLookup(shardId, startedAt);
    const others = this.#traces
      .filter((trace) => trace !== told)
      .flatMap((trace) => trace.startLookup(shardId, startedAt, carrier) ?? []);
    carrier?.addLinks(others);
    const spans = carrier ? [carrier, ...others] : others;
    return {
      traceparent: carrier?.traceparent ?? told?.traceparent ?? "",
      end: (code, timings) => this.#endLookup(shardId, startedAt, spans, code, timings),
    };
  }

  /** The dense part is done; it waited for a worker first. */
  recordDense(handedOverAt: number, endedAt: number, runUs: number): void {
    const { statistics, sampleCount } = this.#options;
    statistics.recordBatch(sampleCount, (handedOverAt - this.#startedAt) * 1000, runUs);
    const startedAt = Math.max(handedOverAt, endedAt - runUs / 1000);
    for (const trace of this.#traces) {
      trace.recordStage("dense wait", handedOverAt, startedAt);
      trace.recordStage("dense", startedAt, endedAt);
    }
  }

  #recordStart(): void {
    const { metrics, sampleCount, queries } = this.#options;
    metrics.recordBatch(sampleCount, queries.length);
    for (const { trace, arrivedAt } of queries) {
      trace?.recordStage("queue", arrivedAt, this.#startedAt);
    }
  }

  #endLookup(
    shardId: string,
    startedAt: number,
    spans: readonly LookupSpan[],
    code: string,
    timings: ShardTimings | null,
  ): void {
    const { clock, metrics } = this.#options;
    const endedAt = clock.nowMs();
    metrics.recordLookup(shardId, code, (endedAt - startedAt) / 1000);
    for (const span of spans) span.end(endedAt, code, timings);
  }
}
