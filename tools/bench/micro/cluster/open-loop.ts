import { ShardpoolError } from "../../../../lib/errors.js";
import { Random } from "../../../../lib/random.js";
import { constantRate, poissonArrivals } from "../../load/arrivals.js";
import { errorCodeOf, InferenceClient } from "../../load/inference-client.js";
import { LatencyHistogram } from "../../load/latency-histogram.js";
import { runOpenLoop } from "../../load/query-run.js";
import { machineNowMs } from "../../load/shared-clock.js";
import type { ServedSystem } from "./served-system.js";

export interface OpenLoad {
  readonly queriesPerSecond: number;
  readonly seconds: number;
  /** Deadline of each query. */
  readonly timeoutMs: number;
  readonly seed: number;
}

export interface OpenResult {
  /** Answers a second that came before their deadline. */
  readonly goodput: number;
  readonly latency: LatencyHistogram;
  readonly errorsByCode: Readonly<Record<string, number>>;
  /** Cores this process, the generator, kept busy, and those the system did. */
  readonly generatorCores: number;
  readonly systemCores: number;
}

/** More than a generator can have out at once: reached, it is the generator that is overloaded. */
const IN_FLIGHT_MAX = 100_000;
const START_DELAY_MS = 100;

/** Sends queries at Poisson moments, whatever has been answered; latency from the intended moment. */
export async function runOpenLoad(
  system: ServedSystem,
  queries: readonly Buffer[],
  load: OpenLoad,
): Promise<OpenResult> {
  const { queriesPerSecond, seconds, timeoutMs, seed } = load;
  const client = new InferenceClient(system.address, { channelCount: 1, timeoutMs });
  const random = new Random(seed, "arrivals");
  const dueMs = poissonArrivals(constantRate(queriesPerSecond, seconds), random);
  const latency = new LatencyHistogram();
  const errorsByCode: Record<string, number> = {};
  const cpuBefore = system.cpuSeconds();
  const ownBefore = process.cpuUsage();
  const startMs = performance.now();
  try {
    await runOpenLoop(
      {
        ...{ dueMs, startAtMs: machineNowMs() + START_DELAY_MS, inFlightMax: IN_FLIGHT_MAX },
        queryIndex: (position) => position,
      },
      {
        send: (index, onAnswer) => client.infer(queries[index % queries.length]!, onAnswer),
        onOutcome: ({ error, intendedAtMs, answeredAtMs }) => {
          if (error === null) latency.recordMs(answeredAtMs - intendedAtMs);
          else {
            const code = error === "IN_FLIGHT_LIMIT" ? error : errorCodeOf(error, system.address);
            errorsByCode[code] = (errorsByCode[code] ?? 0) + 1;
          }
        },
        signal: new AbortController().signal,
      },
    );
  } finally {
    client.close();
  }
  if (latency.count === 0) {
    throw new ShardpoolError("PROCESS_FAILED", `${system.name} answered no query in time`);
  }
  const elapsedSeconds = (performance.now() - startMs) / 1000;
  const { user, system: kernel } = process.cpuUsage(ownBefore);
  return {
    goodput: latency.count / elapsedSeconds,
    latency,
    errorsByCode,
    generatorCores: (user + kernel) / 1e6 / elapsedSeconds,
    systemCores: (system.cpuSeconds() - cpuBefore) / elapsedSeconds,
  };
}
