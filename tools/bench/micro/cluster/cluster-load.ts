import { availableParallelism } from "node:os";
import type { MicroBench, MicroContext } from "../micro-bench.js";
import { type LoopResult, runClosedLoad } from "./closed-loop.js";
import { runOpenLoad } from "./open-loop.js";
import { type ServedSystem, startServedCluster } from "./served-system.js";
import { servingFiles } from "./serving-files.js";
import { drawQueries } from "./serving-queries.js";

const SAMPLE_COUNT = 128;
const IN_FLIGHT = 16;

export const overload: MicroBench = {
  name: "overload",
  summary: "goodput at 2x and 5x the saturating rate, 128 samples a query, deadline 500 ms",
  run: (context) => withLoadedCluster(context, measureOverload),
};

export const clusterP99: MicroBench = {
  name: "cluster-p99",
  summary: "latency at 70 % of the peak rate, 128 samples a query: p99 against p50",
  run: (context) => withLoadedCluster(context, measureTail),
};

/** A cluster, queries and what it does at its peak in a closed loop. */
interface Loaded {
  readonly cluster: ServedSystem;
  readonly queries: readonly Buffer[];
  readonly peak: LoopResult;
}

async function withLoadedCluster(
  context: MicroContext,
  use: (context: MicroContext, loaded: Loaded) => Promise<void>,
): Promise<void> {
  const files = await servingFiles(context);
  context.note("starting the cluster");
  const cluster = await startServedCluster(files, context, { name: "cluster" });
  try {
    const queries = drawQueries(files, SAMPLE_COUNT, context.seed);
    await runClosedLoad(cluster, queries, IN_FLIGHT, context.seconds / 4);
    const peak = await runClosedLoad(cluster, queries, IN_FLIGHT, context.seconds);
    await use(context, { cluster, queries, peak });
  } finally {
    await cluster.stop();
  }
}

const DEADLINE_MS = 500;
/** What clients do; the last line is one gateway that sends everything. */
const OVERLOADS = [
  { multiple: 2, connectionCount: 8 },
  { multiple: 5, connectionCount: 8 },
  { multiple: 5, connectionCount: 1 },
];

/**
 * The generator takes its own share of the machine, and more of it the faster it sends: what was left
 * to the cluster is its peak by the cores that were left, then and now.
 */
async function measureOverload(context: MicroContext, loaded: Loaded): Promise<void> {
  const { cluster, queries, peak } = loaded;
  const cores = availableParallelism();
  const peakGeneratorCores = peak.clientCpuSecondsPerQuery * peak.queriesPerSecond;
  const peakSystemCores = peak.cpuSecondsPerQuery * peak.queriesPerSecond;
  for (const { multiple, connectionCount } of OVERLOADS) {
    const { goodput, latency, errorsByCode, generatorCores, systemCores } = await runOpenLoad(
      cluster,
      queries,
      {
        queriesPerSecond: multiple * peak.queriesPerSecond,
        ...{ seconds: context.seconds, seed: context.seed },
        ...{ timeoutMs: DEADLINE_MS, connectionCount },
      },
    );
    const capacityLeft =
      (peak.queriesPerSecond * (cores - generatorCores)) / (cores - peakGeneratorCores);
    context.print({
      case: `${multiple}x, connections: ${connectionCount}`,
      unit: "queries/s",
      better: "higher",
      value: goodput,
      baseline: { name: "capacity left beside the generator", value: capacityLeft },
      ratio: goodput / capacityLeft,
      // The share of the processor time it got that went into answers, which others on the machine leave alone.
      cpuRatio: (goodput * peak.cpuSecondsPerQuery) / systemCores,
      // Everything sent came back, as an answer or as a refusal.
      correct: !("IN_FLIGHT_LIMIT" in errorsByCode),
      ...{ peakQueriesPerSecond: peak.queriesPerSecond, deadlineMs: DEADLINE_MS, errorsByCode },
      ...{ peakGeneratorCores, peakSystemCores },
      ...{ generatorCores, systemCores, cores, latencyMs: latency.summary() },
    });
  }
}

const SHARE_OF_PEAK = 0.7;

async function measureTail(context: MicroContext, loaded: Loaded): Promise<void> {
  const { cluster, queries, peak } = loaded;
  const queriesPerSecond = SHARE_OF_PEAK * peak.queriesPerSecond;
  const { goodput, latency, errorsByCode } = await runOpenLoad(cluster, queries, {
    ...{ queriesPerSecond, seconds: context.seconds, timeoutMs: 60_000, seed: context.seed },
    connectionCount: 1,
  });
  const { p50, p99 } = latency.summary()!;
  context.print({
    unit: "ms",
    better: "lower",
    value: p99,
    baseline: { name: "p50 of the same run", value: p50 },
    ratio: p99 / p50,
    correct: Object.keys(errorsByCode).length === 0,
    ...{ offeredQps: queriesPerSecond, achievedQps: goodput, errorsByCode },
    latencyMs: latency.summary(),
  });
}
