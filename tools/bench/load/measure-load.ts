import { Random } from "../../../lib/random.js";
import { constantRate, poissonArrivals } from "./arrivals.js";
import type { InferenceClient } from "./inference-client.js";
import type { LatencyOptions } from "./latency-options.js";
import { LoadRecorder } from "./load-recorder.js";
import type { PreparedQueries } from "./prepared-queries.js";
import type { UsageMeter } from "./process-usage.js";
import { type QueryRunOptions, runClosedLoop, runOpenLoop } from "./query-run.js";
import { machineNowMs } from "./shared-clock.js";

/** Time for the ticker's thread to start before the first query is due. */
const START_DELAY_MS = 100;
const WATCH_INTERVAL_MS = 100;
const TICKS_PER_SAMPLE = 10;

export interface MeasuredLoad {
  readonly recorder: LoadRecorder;
  readonly startedAt: Date;
  readonly endedBy: "schedule" | "interrupt" | "target-lost";
  /** Measured time in which queries were due. */
  readonly offeredSeconds: number;
  /** The same, drawn out to the last answer. */
  readonly measuredSeconds: number;
}

export interface MeasureLoadHooks {
  /** Aborting ends the run early; what was measured is kept. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((elapsedSeconds: number) => void) | undefined;
}

/** Sends the queries as `options` say and records what comes back. */
export async function measureLoad(
  client: InferenceClient,
  queries: PreparedQueries,
  options: LatencyOptions,
  meter: UsageMeter,
  hooks: MeasureLoadHooks = {},
): Promise<MeasuredLoad> {
  const isClosed = options.scenario === "single-stream";
  const startAtMs = machineNowMs() + (isClosed ? 0 : START_DELAY_MS);
  const measureFromMs = startAtMs + options.warmupSeconds * 1000;
  const recorder = new LoadRecorder(queries, { measureFromMs, target: client.target });
  const end = watchRun({ recorder, startAtMs, measureFromMs, options, meter, hooks });
  const run: QueryRunOptions = {
    send: (index, onAnswer) =>
      client.infer(queries.requests[index % queries.requests.length]!, onAnswer),
    onOutcome: (outcome) => recorder.record(outcome),
    signal: end.signal,
  };
  const startedAt = new Date(Date.now() + startAtMs - machineNowMs());
  try {
    if (isClosed) {
      const overAtMs = measureFromMs + options.seconds * 1000;
      await runClosedLoop({ concurrency: 1, isOver: () => machineNowMs() >= overAtMs }, run);
    } else {
      const dueMs = openLoopArrivals(options);
      await runOpenLoop({ dueMs, startAtMs, inFlightMax: options.inFlightMax }, run);
    }
  } finally {
    end.release();
  }
  meter.sample();
  const endedAfter = Math.max(0, (machineNowMs() - measureFromMs) / 1000);
  const offeredSeconds = Math.min(options.seconds, endedAfter);
  const answeredAfter = (recorder.lastAnswerAtMs - measureFromMs) / 1000;
  const measuredSeconds = Math.max(offeredSeconds, answeredAfter);
  return { recorder, startedAt, endedBy: end.reason(), offeredSeconds, measuredSeconds };
}

/** Warm-up arrivals, then measured ones, in milliseconds from the start. */
function openLoopArrivals({ qps = 0, warmupSeconds, seconds, seed }: LatencyOptions): Float64Array {
  const warmup = poissonArrivals(constantRate(qps, warmupSeconds), new Random(seed, "warm-up"));
  const measured = poissonArrivals(constantRate(qps, seconds), new Random(seed, "arrivals"));
  const dueMs = new Float64Array(warmup.length + measured.length);
  dueMs.set(warmup);
  for (let i = 0; i < measured.length; i++) {
    dueMs[warmup.length + i] = warmupSeconds * 1000 + measured[i]!;
  }
  return dueMs;
}

interface WatchedRun {
  readonly recorder: LoadRecorder;
  readonly startAtMs: number;
  readonly measureFromMs: number;
  readonly options: LatencyOptions;
  readonly meter: UsageMeter;
  readonly hooks: MeasureLoadHooks;
}

/** Ends the run when it should end early, and notes CPU time as it goes. */
function watchRun({ recorder, startAtMs, measureFromMs, options, meter, hooks }: WatchedRun): {
  readonly signal: AbortSignal;
  reason(): MeasuredLoad["endedBy"];
  release(): void;
} {
  const controller = new AbortController();
  let reason: MeasuredLoad["endedBy"] = "schedule";
  const stop = (why: MeasuredLoad["endedBy"]): void => {
    if (controller.signal.aborted) return;
    reason = why;
    controller.abort();
  };
  const interrupt = (): void => stop("interrupt");
  hooks.signal?.addEventListener("abort", interrupt, { once: true });
  if (hooks.signal?.aborted) interrupt();

  const meterStart = setTimeout(() => meter.start(), measureFromMs - machineNowMs());
  let tickCount = 0;
  const timer = setInterval(() => {
    const nowMs = machineNowMs();
    tickCount++;
    hooks.onProgress?.(Math.max(0, (nowMs - startAtMs) / 1000));
    // Reading /proc holds back sends, so it is done seldom.
    if (nowMs > measureFromMs && tickCount % TICKS_PER_SAMPLE === 0) meter.sample();
    const lostSinceMs = recorder.targetLostSinceMs;
    if (lostSinceMs !== undefined && nowMs - lostSinceMs > options.targetLostMs) {
      stop("target-lost");
    }
  }, WATCH_INTERVAL_MS);
  return {
    signal: controller.signal,
    reason: () => reason,
    release: () => {
      clearTimeout(meterStart);
      clearInterval(timer);
      hooks.signal?.removeEventListener("abort", interrupt);
    },
  };
}
