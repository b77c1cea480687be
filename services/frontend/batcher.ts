import type { Clock } from "../../lib/clock.js";
import { ShardpoolError } from "../../lib/errors.js";
import { joinPieces, type QueryPiece } from "./batch-join.js";
import type { BatchObserver } from "./batch-observer.js";
import { PendingQuery } from "./pending-query.js";
import type { Predictor } from "./predictor.js";
import { PRIORITY_LEVELS, type Query, type QueryResult } from "./query.js";

export interface BatcherOptions {
  readonly predictor: Pick<Predictor, "predict">;
  readonly clock: Clock;
  /** Is told of every batch that starts. */
  readonly observeBatch?: (queries: readonly Query[], sampleCount: number) => BatchObserver;
  /** Samples of one batch. */
  readonly batchSampleCountMax: number;
  /** Batches between the first lookup and the dense answer. */
  readonly batchesInFlightMax: number;
  /** Samples admitted and not yet answered. */
  readonly queueSampleCountMax: number;
}

export interface QueryCall {
  /** @throws ShardpoolError as the prediction does, or DEADLINE_EXCEEDED. */
  readonly result: Promise<QueryResult>;
  /** The caller went away: `result` fails with CALL_CANCELLED unless it is there already. */
  cancel(): void;
}

interface QueuedPiece extends QueryPiece {
  readonly pending: PendingQuery;
}

/**
 * Joins queries that wait into batches, and cuts queries that are larger than a batch. There is no
 * timer: while a batch may still start, a query leaves at once; queries join only when all batches
 * allowed are in flight, which is when the machine has enough to do.
 */
export class Batcher {
  readonly #options: BatcherOptions;
  /** Pieces that wait, by priority; the first queue goes first. */
  readonly #queues: QueuedPiece[][] = Array.from({ length: PRIORITY_LEVELS }, () => []);
  #batchesInFlight = 0;
  #sampleCount = 0;

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  /** Samples admitted and not yet answered. */
  get sampleCount(): number {
    return this.#sampleCount;
  }

  /** Milliseconds that the query which waits longest has waited for a batch; 0 when none waits. */
  get queueAgeMs(): number {
    const nowMs = this.#options.clock.nowMs();
    const waits = this.#queues.flatMap((queue) => queue.slice(0, 1));
    return Math.max(0, ...waits.map(({ query }) => nowMs - query.arrivedAt));
  }

  /**
   * Takes a query in.
   *
   * @throws ShardpoolError SERVER_OVERLOADED when it does not fit beside those not yet answered.
   */
  submit(query: Query): QueryCall {
    const { queueSampleCountMax, clock } = this.#options;
    if (this.#sampleCount + query.sampleCount > queueSampleCountMax) {
      throw new ShardpoolError(
        "SERVER_OVERLOADED",
        `${this.#sampleCount} samples are waiting, ${query.sampleCount} more would pass the limit of ${queueSampleCountMax}`,
      );
    }
    const pending = new PendingQuery(query);
    this.#sampleCount += query.sampleCount;
    const timer = setTimeout(
      () => pending.fail(deadlinePassed()),
      query.deadlineAt - clock.nowMs(),
    );
    const result = pending.result.finally(() => {
      clearTimeout(timer);
      this.#sampleCount -= query.sampleCount;
    });
    this.#enqueue(pending);
    this.#startBatches();
    return {
      result,
      cancel: () => pending.fail(new ShardpoolError("CALL_CANCELLED", "the caller went away")),
    };
  }

  /** Cuts a query into equal pieces, so that none of them rides with a few samples alone. */
  #enqueue(pending: PendingQuery): void {
    const { query } = pending;
    const pieceCount = Math.ceil(query.sampleCount / this.#options.batchSampleCountMax);
    const queue = this.#queues[query.priority - 1]!;
    for (let i = 0; i < pieceCount; i++) {
      const sampleStart = Math.floor((i * query.sampleCount) / pieceCount);
      const sampleEnd = Math.floor(((i + 1) * query.sampleCount) / pieceCount);
      queue.push({ pending, query, sampleStart, sampleCount: sampleEnd - sampleStart });
    }
  }

  #startBatches(): void {
    while (this.#batchesInFlight < this.#options.batchesInFlightMax) {
      const pieces = this.#takePieces();
      if (pieces.length === 0) return;
      void this.#run(pieces);
    }
  }

  /** What waits longest of the highest priority, up to a batch; queries that are over are dropped. */
  #takePieces(): QueuedPiece[] {
    const taken: QueuedPiece[] = [];
    let room = this.#options.batchSampleCountMax;
    for (const queue of this.#queues) {
      let next = queue[0];
      while (next && (next.pending.isOver || next.sampleCount <= room)) {
        queue.shift();
        if (!next.pending.isOver) {
          taken.push(next);
          room -= next.sampleCount;
        }
        next = queue[0];
      }
      // A lower class may not pass a piece that is only too large for what is left of this batch.
      if (next) break;
    }
    return taken;
  }

  async #run(pieces: readonly QueuedPiece[]): Promise<void> {
    const { predictor, clock } = this.#options;
    this.#batchesInFlight++;
    const startedAt = clock.nowMs();
    try {
      const deadlineAt = Math.max(...pieces.map(({ query }) => query.deadlineAt));
      const call = predictor.predict(joinPieces(pieces), deadlineAt, this.#observe(pieces));
      abandonWhenAllAreOver(pieces, () => call.abandon());
      const prediction = await call.result;
      let batchStart = 0;
      for (const piece of pieces) {
        const queuedUs = (startedAt - piece.query.arrivedAt) * 1000;
        piece.pending.add(piece, prediction, batchStart, queuedUs);
        batchStart += piece.sampleCount;
      }
      prediction.release();
    } catch (error) {
      for (const { pending } of pieces) pending.fail(error);
    } finally {
      this.#batchesInFlight--;
      this.#startBatches();
    }
  }

  #observe(pieces: readonly QueuedPiece[]): BatchObserver | undefined {
    const sampleCount = pieces.reduce((sum, piece) => sum + piece.sampleCount, 0);
    const queries = pieces.map(({ query }) => query);
    return this.#options.observeBatch?.(queries, sampleCount);
  }
}

function abandonWhenAllAreOver(pieces: readonly QueuedPiece[], abandon: () => void): void {
  let leftCount = pieces.length;
  const countDown = (): void => {
    leftCount--;
    if (leftCount === 0) abandon();
  };
  for (const { pending } of pieces) pending.result.then(countDown, countDown);
}

function deadlinePassed(): ShardpoolError {
  return new ShardpoolError("DEADLINE_EXCEEDED", "the answer was not ready at the deadline");
}
