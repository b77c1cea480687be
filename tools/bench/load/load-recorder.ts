import { ShardpoolError } from "../../../lib/errors.js";
import { decodeInferReply, type InferReply } from "./infer-reply.js";
import { errorCodeOf } from "./inference-client.js";
import { LatencyHistogram } from "./latency-histogram.js";
import type { PreparedQueries } from "./prepared-queries.js";
import type { QueryOutcome } from "./query-run.js";
import { numberOf, StageHistograms, stageTimesOf } from "./stages.js";

/** What happened to the queries that were due in one second of the measured time. */
export interface LoadSecond {
  dueCount: number;
  failedCount: number;
  readonly latenciesMs: number[];
}

/**
 * Takes in one outcome after another and counts. Queries due before `measureFromMs` are warm-up: of
 * them only the probabilities are kept.
 */
export class LoadRecorder {
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

  constructor(
    queries: PreparedQueries,
    { measureFromMs, target }: { readonly measureFromMs: number; readonly target: string },
  ) {
    this.#queries = queries;
    this.#measureFromMs = measureFromMs;
    this.#target = target;
    this.probabilities = new Float32Array(queries.labels.length).fill(Number.NaN);
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
    const second = this.#secondOf(outcome);
    second.dueCount++;
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

  #secondOf({ intendedAtMs }: QueryOutcome): LoadSecond {
    const index = Math.floor((intendedAtMs - this.#measureFromMs) / 1000);
    while (this.seconds.length <= index) {
      this.seconds.push({ dueCount: 0, failedCount: 0, latenciesMs: [] });
    }
    return this.seconds[index]!;
  }
}
