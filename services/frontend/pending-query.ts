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
    this.#stages = withLast(this.#stages, stagesOf(prediction, queuedUs));
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
 * Of a query's batches the last to end stands for its times, from the query's admission on: what comes
 * one after the other adds up, while the longest of each stage, taken from batches that ran side by
 * side, could pass the query's own time. Reads add up over all of them.
 */
function withLast(before: QueryStages | undefined, last: QueryStages): QueryStages {
  if (!before) return last;
  return {
    ...last,
    rowsHit: before.rowsHit + last.rowsHit,
    rowsMissed: before.rowsMissed + last.rowsMissed,
    blocksRead: before.blocksRead + last.blocksRead,
  };
}
