import { Random } from "../../../lib/random.js";
import type { InferReply } from "./infer-reply.js";
import type { QueryOutcome } from "./query-run.js";
import { type StageTimesUs, stageTimesOf } from "./stages.js";

/** What one shard did for a traced query's batch, microseconds. */
export interface ShardSpan {
  readonly shardId: string;
  /** From the batch's first message to this shard's answer, on the frontend's clock. */
  readonly waitedUs: number;
  readonly queueUs: number;
  readonly memoryUs: number;
  readonly ssdUs: number;
  readonly poolUs: number;
  /** On the shard's clock; `waitedUs` minus this is the network. */
  readonly totalUs: number;
}

/** The way of one query. */
export interface QueryTrace {
  /** Counts the run's queries from 0. */
  readonly index: number;
  /** When it was to be sent, seconds into the measured time. */
  readonly atSeconds: number;
  readonly latencyMs: number;
  /** How late it was sent: the generator's own part of the latency. */
  readonly lagMs: number;
  readonly stagesUs: StageTimesUs;
  /** Every shard asked; empty when the answer does not tell. */
  readonly shards: readonly ShardSpan[];
}

/**
 * Keeps the traces of a random sample of a run's answered queries (reservoir sampling, Vitter 1985):
 * each has the same chance, however many there will be.
 */
export class TraceSampler {
  readonly #countMax: number;
  readonly #random: Random;
  readonly #measureFromMs: number;
  #traces: QueryTrace[] = [];
  #offeredCount = 0;

  constructor(countMax: number, seed: number, measureFromMs: number) {
    this.#countMax = countMax;
    this.#random = new Random(seed, "traces");
    this.#measureFromMs = measureFromMs;
  }

  /** In the order of the run. */
  get traces(): readonly QueryTrace[] {
    return this.#traces.toSorted((a, b) => a.index - b.index);
  }

  /** @param reply `undefined` for a query that failed, which has no stages. */
  offer(outcome: QueryOutcome, reply: InferReply | undefined): void {
    if (reply === undefined) return;
    this.#offeredCount++;
    let place = this.#traces.length;
    if (place === this.#countMax) {
      place = this.#random.nextBelow(this.#offeredCount);
      if (place >= this.#countMax) return;
    }
    const trace = traceOf(outcome, reply, this.#measureFromMs);
    if (trace !== undefined) this.#traces[place] = trace;
  }

  /** Takes in another sampler's traces; beyond the bound, ones by chance are dropped. */
  addAll(others: readonly QueryTrace[]): void {
    const all = [...this.#traces, ...others];
    const order = all.map((_, index) => index);
    this.#random.shuffle(order);
    this.#traces = order.slice(0, this.#countMax).map((index) => all[index]!);
  }
}

function traceOf(
  { index, intendedAtMs, sentAtMs, answeredAtMs }: QueryOutcome,
  reply: InferReply,
  measureFromMs: number,
): QueryTrace | undefined {
  const latencyMs = answeredAtMs - intendedAtMs;
  const stagesUs = stageTimesOf(reply, latencyMs);
  if (stagesUs === undefined) return undefined;
  return {
    index,
    atSeconds: (intendedAtMs - measureFromMs) / 1000,
    latencyMs,
    lagMs: sentAtMs - intendedAtMs,
    stagesUs,
    shards: parseShardSpans(reply.parameters.get("shard_timings")),
  };
}

/** Reads `ID:waited,queue,memory,ssd,pool,total;…`, the frontend's parameter `shard_timings`. */
export function parseShardSpans(text: unknown): readonly ShardSpan[] {
  if (typeof text !== "string" || text === "") return [];
  return text.split(";").map((part) => {
    const split = part.lastIndexOf(":");
    const [waitedUs = 0, queueUs = 0, memoryUs = 0, ssdUs = 0, poolUs = 0, totalUs = 0] = part
      .slice(split + 1)
      .split(",")
      .map(Number);
    const shardId = part.slice(0, split);
    return { shardId, waitedUs, queueUs, memoryUs, ssdUs, poolUs, totalUs };
  });
}
