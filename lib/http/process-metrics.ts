import { readdirSync } from "node:fs";
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, type Registry } from "prom-client";

/** Steps of the delay's measurement; half of it is the least lag that shows. */
const RESOLUTION_MS = 10;
const QUANTILES = [0.5, 0.9, 0.99, 1] as const;

/**
 * Adds what Prometheus expects of any process (CPU, memory, file descriptors, start) and the lag of
 * this thread's event loop since the last scrape.
 *
 * @param prefix For the lag's name, for instance `shardpool_frontend`.
 * @returns Ends the measurement.
 */
export function addProcessMetrics(registry: Registry, prefix: string): () => void {
  const registers = [registry];
  const startedAtSeconds = Date.now() / 1000 - process.uptime();
  new Counter({
    name: "process_cpu_seconds_total",
    help: "CPU time, user and system.",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  gauge(registers, "process_resident_memory_bytes", "Memory held resident.", () =>
    process.memoryUsage.rss(),
  );
  gauge(
    registers,
    "process_heap_bytes",
    "JavaScript heap in use.",
    () => process.memoryUsage().heapUsed,
  );
  gauge(registers, "process_open_fds", "Open file descriptors.", countOpenFiles);
  gauge(
    registers,
    "process_start_time_seconds",
    "Start, seconds since 1970.",
    () => startedAtSeconds,
  );
  return addEventLoopLag(registry, `${prefix}_event_loop_lag_seconds`);
}

function gauge(registers: Registry[], name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers,
    collect() {
      this.set(read());
    },
  });
}

function addEventLoopLag(registry: Registry, name: string): () => void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  new Gauge({
    name,
    help: "Lag of the event loop since the last scrape, by quantile; 1 is the longest.",
    labelNames: ["quantile"],
    registers: [registry],
    collect() {
      for (const quantile of QUANTILES) this.set({ quantile }, lagSeconds(delay, quantile));
      delay.reset();
    },
  });
  return () => delay.disable();
}

/** What the timer took beyond its interval. */
function lagSeconds(delay: IntervalHistogram, quantile: number): number {
  if (delay.count === 0) return 0;
  return Math.max(0, delay.percentile(quantile * 100) / 1e9 - RESOLUTION_MS / 1000);
}

/** 0 where the system has no such folder. */
function countOpenFiles(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return 0;
  }
}
