import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { QueryStages } from "./query.js";

/** What is read at each scrape rather than counted. */
export interface FrontendGauges {
  /** Samples admitted and not yet answered. */
  readonly inFlightSamples: () => number;
  /** Seconds that the query which waits longest has waited. */
  readonly queueAgeSeconds: () => number;
  readonly isReady: () => boolean;
  /** By shard id. */
  readonly isConnected: () => ReadonlyMap<string, boolean>;
}

/** 50 µs to 10 s: from a stage in memory to the longest that a query may take. */
const SECONDS_BUCKETS = [
  ...[0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05],
  ...[0.1, 0.25, 0.5, 1, 2.5, 5, 10],
];
const SAMPLES_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];

/** Stages as the `stage` label names them, by the field of `QueryStages`. */
const STAGES = [
  ["queue", "queueUs"],
  ["network", "networkUs"],
  ["shard_queue", "shardQueueUs"],
  ["memory", "memoryUs"],
  ["ssd", "ssdUs"],
  ["pool", "poolUs"],
  ["dense", "denseUs"],
] as const satisfies readonly (readonly [string, keyof QueryStages])[];

/** What a frontend counts, in Prometheus' terms: base units, `shardpool_frontend_…`. */
export class FrontendMetrics {
  readonly registry = new Registry();
  readonly #queries = this.#counter("queries_total", "Queries, by how they ended.", [
    "protocol",
    "code",
  ]);
  readonly #samples = this.#counter("samples_total", "Samples answered.", []);
  readonly #defaultRows = this.#counter(
    "default_rows_total",
    "Row ids out of range that were replaced or skipped.",
    [],
  );
  readonly #queryDuration = this.#histogram(
    "query_duration_seconds",
    "Queries answered, from their arrival to their answer.",
    [],
  );
  readonly #stageDuration = this.#histogram(
    "stage_duration_seconds",
    "Queries answered, by stage; network and the shard's stages are the slowest shard's.",
    ["stage"],
  );
  readonly #batches = new Histogram({
    name: "shardpool_frontend_batch_samples",
    help: "Samples of a batch.",
    buckets: SAMPLES_BUCKETS,
    registers: [this.registry],
  });
  readonly #batchQueries = this.#counter(
    "batch_queries_total",
    "Queries, or parts, in batches.",
    [],
  );
  readonly #lookups = this.#counter("shard_lookups_total", "Messages to a shard, by outcome.", [
    "shard",
    "code",
  ]);
  readonly #lookupDuration = this.#histogram(
    "shard_lookup_duration_seconds",
    "Messages to a shard, from sending to the answer.",
    ["shard"],
  );

  /** @param planEpoch Of the plan being served. */
  constructor(planEpoch: number) {
    this.#gauge("plan_epoch", "Epoch of the plan being served.", () => planEpoch);
  }

  /** Adds what is read at each scrape. */
  watch(gauges: FrontendGauges): void {
    this.#gauge("in_flight_samples", "Samples admitted and not yet answered.", () =>
      gauges.inFlightSamples(),
    );
    this.#gauge("queue_age_seconds", "Wait of the query that waits longest.", () =>
      gauges.queueAgeSeconds(),
    );
    this.#gauge("ready", "1 while queries are answered.", () => Number(gauges.isReady()));
    new Gauge({
      name: "shardpool_frontend_shard_connected",
      help: "1 while the shard can be asked.",
      labelNames: ["shard"],
      registers: [this.registry],
      collect() {
        for (const [shard, connected] of gauges.isConnected())
          this.set({ shard }, Number(connected));
      },
    });
  }

  /** A query that was answered. */
  recordAnswer(
    stages: QueryStages,
    totalUs: number,
    sampleCount: number,
    defaultRows: number,
  ): void {
    this.#samples.inc(sampleCount);
    if (defaultRows > 0) this.#defaultRows.inc(defaultRows);
    this.#queryDuration.observe(totalUs / 1e6);
    for (const [stage, field] of STAGES)
      this.#stageDuration.observe({ stage }, stages[field] / 1e6);
  }

  /** Any query's end. @param code `OK`, an error's code, or INTERNAL. */
  recordQuery(protocol: string, code: string): void {
    this.#queries.inc({ protocol, code });
  }

  /** A batch that starts. */
  recordBatch(sampleCount: number, queryCount: number): void {
    this.#batches.observe(sampleCount);
    this.#batchQueries.inc(queryCount);
  }

  /** A message to a shard that was answered, or failed. */
  recordLookup(shard: string, code: string, seconds: number): void {
    this.#lookups.inc({ shard, code });
    if (code === "OK") this.#lookupDuration.observe({ shard }, seconds);
  }

  #counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    const registers = [this.registry];
    return new Counter({ name: `shardpool_frontend_${name}`, help, labelNames, registers });
  }

  #histogram<L extends string>(name: string, help: string, labelNames: readonly L[]): Histogram<L> {
    return new Histogram({
      name: `shardpool_frontend_${name}`,
      help,
      labelNames,
      buckets: SECONDS_BUCKETS,
      registers: [this.registry],
    });
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name: `shardpool_frontend_${name}`,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }
}
