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
  /** Time that counts; the load begins `WARMUP_SECONDS` before it. */
  readonly seconds: number;
  /** Deadline of each query. */
  readonly timeoutMs: number;
  readonly seed: number;
  /** Connections queries are spread over, in turns. */
  readonly connectionCount: number;
}

export interface OpenResult {
  /** Answers a second that came within `timeoutMs` of the moment their query was due. */
  readonly goodput: number;
  readonly latency: LatencyHistogram;
  /** Of every query, those before and after the time that counts among them. */
  readonly errorsByCode: Readonly<Record<string, number>>;
  /** Cores this process, the generator, kept busy, and those the system did. */
  readonly generatorCores: number;
  readonly systemCores: number;
}

/** More than a generator can have out at once: reached, it is the generator that is overloaded. */
const IN_FLIGHT_MAX = 100_000;
const START_DELAY_MS = 100;
/** The queue fills and the rate is measured anew. */
const WARMUP_SECONDS = 1;

/**
 * Sends queries at Poisson moments, whatever has been answered; latency from the intended moment. Answers and
 * processor time are counted while the load is steady: neither while it begins nor after the last query.
 */
export async function runOpenLoad(
  system: ServedSystem,
  queries: readonly Buffer[],
  load: OpenLoad,
): Promise<OpenResult> {
  const { queriesPerSecond, seconds, timeoutMs, seed, connectionCount } = load;
  const client = new InferenceClient(system.address, { channelCount: connectionCount, timeoutMs });
  const random = new Random(seed, "arrivals");
  const rate = constantRate(queriesPerSecond, WARMUP_SECONDS + seconds);
  const dueMs = poissonArrivals(rate, random);
  const latency = new LatencyHistogram();
  const errorsByCode: Record<string, number> = {};
  let goodCount = 0;
  const startAtMs = machineNowMs() + START_DELAY_MS;
  const usage = meterBetween(system, START_DELAY_MS + WARMUP_SECONDS * 1000, seconds * 1000);
  try {
    await runOpenLoop(
      {
        ...{ dueMs, startAtMs, inFlightMax: IN_FLIGHT_MAX },
        queryIndex: (position) => position,
      },
      {
        send: (index, onAnswer) => client.infer(queries[index % queries.length]!, onAnswer),
        onOutcome: ({ error, intendedAtMs, answeredAtMs }) => {
          if (error === null) {
            latency.recordMs(answeredAtMs - intendedAtMs);
            if (usage.isOn && answeredAtMs - intendedAtMs <= timeoutMs) goodCount++;
          } else {
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
  const { elapsedSeconds, generatorCores, systemCores } = await usage.result;
  return {
    goodput: goodCount / elapsedSeconds,
    ...{ latency, errorsByCode, generatorCores, systemCores },
  };
}

interface MeteredUsage {
  readonly elapsedSeconds: number;
  readonly generatorCores: number;
  readonly systemCores: number;
}

/** Meters both sides' processor time from `delayMs` on, for `lengthMs`. */
function meterBetween(
  system: ServedSystem,
  delayMs: number,
  lengthMs: number,
): { readonly isOn: boolean; readonly result: Promise<MeteredUsage> } {
  const meter = { isOn: false, result: measure() };
  return meter;

  async function measure(): Promise<MeteredUsage> {
    await wait(delayMs);
    const startMs = performance.now();
    const cpuBefore = system.cpuSeconds();
    const ownBefore = process.cpuUsage();
    meter.isOn = true;
    await wait(lengthMs);
    meter.isOn = false;
    const elapsedSeconds = (performance.now() - startMs) / 1000;
    const { user, system: kernel } = process.cpuUsage(ownBefore);
    return {
      elapsedSeconds,
      generatorCores: (user + kernel) / 1e6 / elapsedSeconds,
      systemCores: (system.cpuSeconds() - cpuBefore) / elapsedSeconds,
    };
  }
}

function wait(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
