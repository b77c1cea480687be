import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { LookupEngine, PartitionCounters } from "../engine/lookup-engine.js";

/** 20 µs to 2.5 s: from a few rows in memory to a lookup that waits for a slow disk. */
const SECONDS_BUCKETS = [
  ...[0.00002, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01],
  ...[0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
];

type Labels = "table" | "partition";

/** What a shard counts, in Prometheus' terms: base units, `shardpool_shard_…`. */
export class ShardMetrics {
  readonly registry = new Registry();
  readonly #lookups = new Counter({
    name: "shardpool_shard_lookups_total",
    help: "Lookups, by how they ended.",
    labelNames: ["code"],
    registers: [this.registry],
  });
  readonly #lookupDuration = new Histogram({
    name: "shardpool_shard_lookup_duration_seconds",
    help: "Lookups answered, from the arrival of the message to its answer.",
    buckets: SECONDS_BUCKETS,
    registers: [this.registry],
  });

  /** The engine's own counters are read at each scrape. */
  constructor(engine: LookupEngine) {
    const count = (name: string, help: string, read: (counters: PartitionCounters) => number) =>
      this.#addCounter(engine, name, help, read);
    count("rows_hit_total", "Row reads answered from memory.", ({ rowsHit }) => rowsHit);
    count(
      "rows_missed_total",
      "Row reads that waited for a block.",
      ({ rowsMissed }) => rowsMissed,
    );
    count("blocks_read_total", "Blocks read from SQLite.", ({ blocksRead }) => blocksRead);
    count("blocks_evicted_total", "Blocks that left memory.", ({ blocksEvicted }) => blocksEvicted);
    count(
      "blocks_refused_total",
      "Blocks read that admission kept out of memory.",
      ({ blocksRefused }) => blocksRefused,
    );
    this.#addGauge(
      engine,
      "cache_bytes_resident",
      "Row bytes in memory.",
      (number) => engine.counters(number).cacheBytesResident,
    );
    this.#addGauge(
      engine,
      "cache_bytes_max",
      "Row bytes that may be in memory.",
      (number) => engine.partitions[number]!.cacheBytesMax,
    );
    this.#addValue("memory_bytes", "Memory the engine can come to.", () => engine.memoryBytes);
    this.#addMemoryParts(engine);
  }

  /** Adds the lookups taken in and not yet answered. */
  watchInFlight(read: () => number): void {
    this.#addValue("lookups_in_flight", "Lookups taken in and not yet answered.", read);
  }

  /** @param code `OK`, an error's code, or INTERNAL. */
  recordLookup(code: string, seconds: number): void {
    this.#lookups.inc({ code });
    if (code === "OK") this.#lookupDuration.observe(seconds);
  }

  #addCounter(
    engine: LookupEngine,
    name: string,
    help: string,
    read: (counters: PartitionCounters) => number,
  ): void {
    new Counter<Labels>({
      name: `shardpool_shard_${name}`,
      help,
      labelNames: ["table", "partition"],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const [number, { stored }] of engine.partitions.entries()) {
          const labels = { table: stored.table, partition: stored.id };
          this.inc(labels, read(engine.counters(number)));
        }
      },
    });
  }

  #addGauge(
    engine: LookupEngine,
    name: string,
    help: string,
    read: (partition: number) => number,
  ): void {
    new Gauge<Labels>({
      name: `shardpool_shard_${name}`,
      help,
      labelNames: ["table", "partition"],
      registers: [this.registry],
      collect() {
        for (const [number, { stored }] of engine.partitions.entries()) {
          this.set({ table: stored.table, partition: stored.id }, read(number));
        }
      },
    });
  }

  #addMemoryParts(engine: LookupEngine): void {
    new Gauge<"part">({
      name: "shardpool_shard_memory_part_bytes",
      help: "Memory the engine can come to, by what it is for.",
      labelNames: ["part"],
      registers: [this.registry],
      collect() {
        for (const [part, bytes] of Object.entries(engine.memoryParts)) this.set({ part }, bytes);
      },
    });
  }

  #addValue(name: string, help: string, read: () => number): void {
    new Gauge({
      name: `shardpool_shard_${name}`,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }
}
