import type { QueryPiece } from "./batch-join.js";
import type { Prediction } from "./predictor.js";
import type { Query, QueryResult, QueryStages } from "./query.js";

/** A query between its admission and its answer; it may ride in several batches. */
export class PendingQuery {
  readonly query: Query;
  readonly result: Promise<QueryResult>;
  readonly #probability: Float32Array;
  #logit: Float32Array | undefined;
  #pooled: Float32Array | undefined;
  #stages: QueryStages | undefined;
  #missingSampleCount: number;
  #isOver = false;
  #resolve: (result: QueryResult) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(query: Query) {
    this.query = query;
    this.#probability = new Float32Array(query.sampleCount);
    this.#missingSampleCount = query.sampleCount;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Answered, failed or given up: its samples need no more work. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Ends the query with an error; harmless when it is over. */
  fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#reject(error);
  }

  /**
   * Takes a piece's share of a batch; the last one ends the query.
   *
   * @param batchStart Where the piece's samples begin in the batch.
   */
  add(piece: QueryPiece, prediction: Prediction, batchStart: number, queuedUs: number): void {
    if (this.#isOver) return;
    const { query } = this;
    const { sampleStart, sampleCount } = piece;
    const batchEnd = batchStart + sampleCount;
    this.#probability.set(prediction.probability.subarray(batchStart, batchEnd), sampleStart);
    if (prediction.logit) {
      this.#logit ??= new Float32Array(query.sampleCount);
      this.#logit.set(prediction.logit.subarray(batchStart, batchEnd), sampleStart);
    }
    if (query.wantsPooled) {
      const batchSamples = prediction.probability.length;
      const width = prediction.pooled.length / batchSamples;
      this.#pooled ??= new Float32Array(query.sampleCount * width);
      const rows = prediction.pooled.subarray(batchStart * width, batchEnd * width);
      this.#pooled.set(rows, sampleStart * width);
    }
    this.#stages = longest(this.#stages, stagesOf(prediction, queuedUs));
    this.#missingSampleCount -= sampleCount;
    if (this.#missingSampleCount === 0) this.#succeed();
  }

  #succeed(): void {
    this.#isOver = true;
    this.#resolve({
      probability: this.#probability,
      ...(this.#logit && { logit: this.#logit }),
      ...(this.#pooled && { pooled: this.#pooled }),
      stages: this.#stages!,
    });
  }
}

function stagesOf(prediction: Prediction, queuedUs: number): QueryStages {
  return {
    ...prediction.cost,
    queueUs: queuedUs + prediction.denseWaitUs,
    denseUs: prediction.denseUs,
  };
}

/**
 * Batches of one query run side by side, so the longest of each stage stands for it, and the shards of
 * the batch that waited longest; reads add up.
 */
function longest(a: QueryStages | undefined, b: QueryStages): QueryStages {
  if (!a) return b;
  return {
    queueUs: Math.max(a.queueUs, b.queueUs),
    networkUs: Math.max(a.networkUs, b.networkUs),
    shardQueueUs: Math.max(a.shardQueueUs, b.shardQueueUs),
    memoryUs: Math.max(a.memoryUs, b.memoryUs),
    ssdUs: Math.max(a.ssdUs, b.ssdUs),
    poolUs: Math.max(a.poolUs, b.poolUs),
    denseUs: Math.max(a.denseUs, b.denseUs),
    rowsHit: a.rowsHit + b.rowsHit,
    rowsMissed: a.rowsMissed + b.rowsMissed,
    blocksRead: a.blocksRead + b.blocksRead,
    shards: waitOf(a) >= waitOf(b) ? a.shards : b.shards,
  };
}

function waitOf({ shards }: QueryStages): number {
  return shards.reduce((longestUs, { waitedUs }) => Math.max(longestUs, waitedUs), 0);
}
