import { ShardpoolError } from "../../../lib/errors.js";
import { decodeInferReply, type InferReply } from "./infer-reply.js";
import { errorCodeOf } from "./inference-client.js";
import { LatencyHistogram } from "./latency-histogram.js";
import type { LoadSnapshot, LoadTotals } from "./load-snapshot.js";
import type { PreparedQueries } from "./prepared-queries.js";
import type { QueryOutcome } from "./query-run.js";
import { type QueryTrace, TraceSampler } from "./query-trace.js";
import { numberOf, StageHistograms, stageTimesOf } from "./stages.js";

/** What happened to the queries that were due in one second of the measured time. */
export interface LoadSecond {
  dueCount: number;
  failedCount: number;
  readonly latenciesMs: number[];
  /** Answers that came in this second, whenever their queries were due. */
  answeredCount: number;
}

export interface LoadRecorderOptions {
  /** On the clock of `machineNowMs`. */
  readonly measureFromMs: number;
  readonly target: string;
  /** Queries whose way is kept in full; none unless told. */
  readonly traceCount?: number;
  /** Chooses them. */
  readonly seed?: number;
}

/**
 * Takes in one outcome after another and counts. Queries due before `measureFromMs` are warm-up: of
 * them only the probabilities are kept.
 */
export class LoadRecorder implements LoadTotals {
  readonly latency = new LatencyHistogram();
  readonly service = new LatencyHistogram();
  readonly lag = new LatencyHistogram();
  readonly stages = new StageHistograms();
  readonly seconds: LoadSecond[] = [];
  readonly planEpochs = new Set<number>();
  readonly countByErrorCode = new Map<string, number>();
  dueCount = 0;
  failedCount = 0;
  sampleCount = 0;
  degradedCount = 0;
  defaultRowCount = 0;
  hitCount = 0;
  missCount = 0;
  blockCount = 0;
  requestBytes = 0;
  replyBytes = 0;
  /** When the last measured query was answered, on the clock of `machineNowMs`. */
  lastAnswerAtMs = 0;
  /** Since when every outcome has been a lost target; `undefined` while it answers. */
  targetLostSinceMs: number | undefined;
  /** One probability a sample, NaN where none was served. */
  readonly probabilities: Float32Array;

  readonly #queries: PreparedQueries;
  readonly #measureFromMs: number;
  readonly #target: string;
  readonly #traces: TraceSampler | undefined;

  constructor(
    queries: PreparedQueries,
    { measureFromMs, target, traceCount = 0, seed = 1 }: LoadRecorderOptions,
  ) {
    this.#queries = queries;
    this.#measureFromMs = measureFromMs;
    this.#target = target;
    if (traceCount > 0) this.#traces = new TraceSampler(traceCount, seed, measureFromMs);
    this.probabilities = new Float32Array(queries.labels.length).fill(Number.NaN);
  }

  get traces(): readonly QueryTrace[] {
    return this.#traces?.traces ?? [];
  }

  get answeredCount(): number {
    return this.dueCount - this.failedCount;
  }

  record(outcome: QueryOutcome): void {
    const query = outcome.index % this.#queries.requests.length;
    const reply = this.#readReply(outcome, query);
    const isLost = reply === "TARGET_UNAVAILABLE";
    this.targetLostSinceMs = isLost ? (this.targetLostSinceMs ?? outcome.answeredAtMs) : undefined;
    if (typeof reply !== "string") this.#keepProbabilities(reply, query);
    if (outcome.intendedAtMs < this.#measureFromMs) return;

    this.dueCount++;
    const second = this.#secondAt(outcome.intendedAtMs);
    second.dueCount++;
    this.#traces?.offer(outcome, typeof reply === "string" ? undefined : reply);
    this.lag.recordMs(outcome.sentAtMs - outcome.intendedAtMs);
    this.lastAnswerAtMs = Math.max(this.lastAnswerAtMs, outcome.answeredAtMs);
    if (typeof reply === "string") {
      this.failedCount++;
      second.failedCount++;
      this.countByErrorCode.set(reply, (this.countByErrorCode.get(reply) ?? 0) + 1);
      return;
    }
    const latencyMs = outcome.answeredAtMs - outcome.intendedAtMs;
    second.latenciesMs.push(latencyMs);
    this.#secondAt(outcome.answeredAtMs).answeredCount++;
    this.latency.recordMs(latencyMs);
    this.service.recordMs(outcome.answeredAtMs - outcome.sentAtMs);
    this.#countReply(reply, query, latencyMs);
    this.replyBytes += outcome.reply?.length ?? 0;
  }

  /** The answer, or the code it failed with. */
  #readReply({ error, reply }: QueryOutcome, query: number): InferReply | string {
    if (error !== null) return typeof error === "string" ? error : errorCodeOf(error, this.#target);
    try {
      const decoded = decodeInferReply(reply ?? new Uint8Array());
      const isWhole = decoded.probability.length === this.#queries.sampleCounts[query];
      return isWhole ? decoded : "ANSWER_INVALID";
    } catch (cause) {
      if (cause instanceof ShardpoolError) return "ANSWER_INVALID";
      throw cause;
    }
  }

  #keepProbabilities(reply: InferReply, query: number): void {
    this.probabilities.set(reply.probability, this.#queries.sampleStarts[query]!);
  }

  #countReply(reply: InferReply, query: number, latencyMs: number): void {
    this.sampleCount += this.#queries.sampleCounts[query]!;
    this.requestBytes += this.#queries.requests[query]!.length;
    this.hitCount += numberOf(reply, "rows_hit") ?? 0;
    this.missCount += numberOf(reply, "rows_missed") ?? 0;
    this.blockCount += numberOf(reply, "blocks_read") ?? 0;
    this.defaultRowCount += numberOf(reply, "default_rows") ?? 0;
    const epoch = numberOf(reply, "plan_epoch");
    if (epoch !== undefined) this.planEpochs.add(epoch);
    if (reply.parameters.get("degraded") === true) this.degradedCount++;
    const times = stageTimesOf(reply, latencyMs);
    if (times !== undefined) this.stages.record(times);
  }

  #secondAt(atMs: number): LoadSecond {
    const index = Math.floor((atMs - this.#measureFromMs) / 1000);
    while (this.seconds.length <= index) {
      this.seconds.push({ dueCount: 0, failedCount: 0, latenciesMs: [], answeredCount: 0 });
    }
    return this.seconds[index]!;
  }

  /** Everything counted, for another process to take in. */
  snapshot(): LoadSnapshot {
    return {
      totals: totalsOf(this),
      latency: this.latency.snapshot(),
      service: this.service.snapshot(),
      lag: this.lag.snapshot(),
      stages: this.stages.snapshot(),
      seconds: this.seconds,
      planEpochs: [...this.planEpochs],
      countByErrorCode: [...this.countByErrorCode],
      lastAnswerAtMs: this.lastAnswerAtMs,
      probabilities: this.probabilities,
      traces: this.traces,
    };
  }

  /** Takes in what another recorder of the same run has counted. */
  addSnapshot(other: LoadSnapshot): void {
    for (const name of Object.keys(other.totals) as (keyof LoadTotals)[]) {
      this[name] += other.totals[name];
    }
    this.latency.addSnapshot(other.latency);
    this.service.addSnapshot(other.service);
    this.lag.addSnapshot(other.lag);
    this.stages.addSnapshot(other.stages);
    other.seconds.forEach((second, index) => {
      const mine = this.#secondAt(this.#measureFromMs + index * 1000);
      mine.dueCount += second.dueCount;
      mine.failedCount += second.failedCount;
      mine.answeredCount += second.answeredCount;
      for (const latencyMs of second.latenciesMs) mine.latenciesMs.push(latencyMs);
    });
    for (const epoch of other.planEpochs) this.planEpochs.add(epoch);
    for (const [code, count] of other.countByErrorCode) {
      this.countByErrorCode.set(code, (this.countByErrorCode.get(code) ?? 0) + count);
    }
    this.lastAnswerAtMs = Math.max(this.lastAnswerAtMs, other.lastAnswerAtMs);
    other.probabilities.forEach((probability, sample) => {
      if (!Number.isNaN(probability)) this.probabilities[sample] = probability;
    });
    this.#traces?.addAll(other.traces);
  }
}

function totalsOf(recorder: LoadRecorder): LoadTotals {
  const { dueCount, failedCount, sampleCount, degradedCount, defaultRowCount } = recorder;
  const { hitCount, missCount, blockCount, requestBytes, replyBytes } = recorder;
  return {
    ...{ dueCount, failedCount, sampleCount, degradedCount, defaultRowCount },
    ...{ hitCount, missCount, blockCount, requestBytes, replyBytes },
  };
}
