import { Random } from "../../../lib/random.js";
import { constantRate, poissonArrivals } from "./arrivals.js";
import type { InferenceClient } from "./inference-client.js";
import type { LatencyOptions } from "./latency-options.js";
import { LoadRecorder } from "./load-recorder.js";
import type { PreparedQueries } from "./prepared-queries.js";
import { type QueryRunOptions, runClosedLoop, runOpenLoop } from "./query-run.js";
import { rateAt } from "./rate-schedule.js";
import { machineNowMs } from "./shared-clock.js";

/** Time for the ticker's thread to start before the first query is due. */
const START_DELAY_MS = 100;
const WATCH_INTERVAL_MS = 100;
const TICKS_PER_SAMPLE = 10;

export interface MeasuredLoad {
  readonly recorder: LoadRecorder;
  readonly startedAt: Date;
  readonly endedBy: "schedule" | "interrupt" | "target-lost";
  /** When the warm-up ended, on the clock of `machineNowMs`. */
  readonly measureFromMs: number;
  /** Measured time in which queries were due. */
  readonly offeredSeconds: number;
}

/** Told when the measured time begins, and now and then until it ends. */
export interface RunMeter {
  start(): void;
  sample(): void;
}

export interface MeasureLoadHooks {
  /** Aborting ends the run early; what was measured is kept. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((elapsedSeconds: number) => void) | undefined;
}

/** Which part of a run's arrivals this process sends, when several share them. */
export interface LoadShare {
  readonly index: number;
  readonly count: number;
  /** When the first query may be due, the same for all, on the clock of `machineNowMs`. */
  readonly startAtMs: number;
}

/**
 * Sends the queries as `options` say and records what comes back.
 *
 * @param share Of an open loop; everything unless told.
 */
export async function measureLoad(
  client: InferenceClient,
  queries: PreparedQueries,
  options: LatencyOptions,
  meter: RunMeter,
  hooks: MeasureLoadHooks = {},
  share: LoadShare = { index: 0, count: 1, startAtMs: machineNowMs() + START_DELAY_MS },
): Promise<MeasuredLoad> {
  const send: QueryRunOptions["send"] = (index, onAnswer) =>
    client.infer(queries.requests[index % queries.requests.length]!, onAnswer);
  const isOffline = options.scenario === "offline";
  if (isOffline) await warmUp(options, send, hooks.signal);
  const startAtMs = options.scenario === "server" ? share.startAtMs : machineNowMs();
  // The offline scenario's warm-up is over by now, and its queries are not a part of the batch.
  const measureFromMs = startAtMs + (isOffline ? 0 : options.warmupSeconds * 1000);
  const recorder = new LoadRecorder(queries, {
    measureFromMs,
    target: client.target,
    traceCount: options.trace,
    seed: options.seed,
  });
  const end = watchRun({ recorder, startAtMs, measureFromMs, options, meter, hooks });
  const run = { send, onOutcome: recorder.record.bind(recorder), signal: end.signal };
  const startedAt = new Date(Date.now() + startAtMs - machineNowMs());
  try {
    if (options.scenario === "server") {
      await runOpenLoop(
        { ...arrivalsOf(options, share), startAtMs, inFlightMax: options.inFlightMax },
        run,
      );
    } else {
      await runClosedLoop(closedLoopOf(options, queries, measureFromMs), run);
    }
  } finally {
    end.release();
  }
  meter.sample();
  const endedAfter = Math.max(0, (machineNowMs() - measureFromMs) / 1000);
  const offeredSeconds = isOffline ? endedAfter : Math.min(options.seconds, endedAfter);
  return { recorder, startedAt, endedBy: end.reason(), measureFromMs, offeredSeconds };
}

function closedLoopOf(
  { scenario, seconds, window }: LatencyOptions,
  queries: PreparedQueries,
  measureFromMs: number,
): Parameters<typeof runClosedLoop>[0] {
  const overAtMs = measureFromMs + seconds * 1000;
  if (scenario === "single-stream") {
    return { concurrency: 1, isOver: () => machineNowMs() >= overAtMs };
  }
  return {
    concurrency: window,
    isOver: (sentCount) => sentCount >= queries.requests.length && machineNowMs() >= overAtMs,
  };
}

/** Keeps the window full for the warm-up's time; nothing of it is counted. */
async function warmUp(
  { warmupSeconds, window }: LatencyOptions,
  send: QueryRunOptions["send"],
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  const overAtMs = machineNowMs() + warmupSeconds * 1000;
  await runClosedLoop(
    { concurrency: window, isOver: () => machineNowMs() >= overAtMs },
    { send, onOutcome: () => {}, signal },
  );
}

/** This process's moments, and which query of the run each is. */
function arrivalsOf(
  options: LatencyOptions,
  { index, count }: LoadShare,
): { readonly dueMs: Float64Array; readonly queryIndex: (position: number) => number } {
  const all = openLoopArrivals(options);
  if (count === 1) return { dueMs: all, queryIndex: (position) => position };
  return {
    dueMs: all.filter((_, position) => position % count === index),
    queryIndex: (position) => position * count + index,
  };
}

/** Warm-up arrivals at the first rate, then measured ones, in milliseconds from the start. */
function openLoopArrivals({ segments, warmupSeconds, seed }: LatencyOptions): Float64Array {
  const warmupRate = constantRate(rateAt(segments, 0), warmupSeconds);
  const warmup = poissonArrivals(warmupRate, new Random(seed, "warm-up"));
  const measured = poissonArrivals(segments, new Random(seed, "arrivals"));
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
  readonly meter: RunMeter;
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
