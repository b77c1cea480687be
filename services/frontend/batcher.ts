import type { Clock } from "../../lib/clock.js";
import { ShardpoolError } from "../../lib/errors.js";
import { ArrivingSamples } from "./arriving-samples.js";
import { joinPieces, type QueryPiece } from "./batch-join.js";
import type { BatchObserver } from "./batch-observer.js";
import { PendingQuery } from "./pending-query.js";
import type { Predictor } from "./predictor.js";
import { PRIORITY_LEVELS, type Query, type QueryResult } from "./query.js";
import { ServiceRate } from "./service-rate.js";

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
  /** Milliseconds a query may wait for a batch. */
  readonly queueAgeMsMax: number;
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
 * A queue that takes twice as long as estimated still meets deadlines: an answer that comes too late has
 * cost as much as one in time, and full batches need no long queue.
 */
const QUEUE_CAUTION = 2;

/**
 * Joins queries that wait into batches, and cuts queries that are larger than a batch. There is no
 * timer: while a batch may still start, a query leaves at once; queries join only when all batches
 * allowed are in flight, which is when the machine has enough to do. Then a query whose deadline
 * would pass before its turn is refused at once.
 */
export class Batcher {
  readonly #options: BatcherOptions;
  /** Pieces that wait, by priority; the first queue goes first. */
  readonly #queues: QueuedPiece[][] = Array.from({ length: PRIORITY_LEVELS }, () => []);
  /** Samples that wait, by priority. */
  readonly #queuedCounts = new Array<number>(PRIORITY_LEVELS).fill(0);
  readonly #rate = new ServiceRate();
  readonly #arriving = new ArrivingSamples();
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

  /** Samples a second that full batches are answered at; 0 before any was full. */
  get samplesPerSecond(): number {
    return this.#rate.samplesPerSecond;
  }

  /**
   * Whether a query would be taken in, before anything is done for it: under overload most queries are
   * refused, and what that costs is missing elsewhere.
   *
   * @param deadlineAt On the clock given.
   * @throws ShardpoolError SERVER_OVERLOADED when it does not fit beside those not yet answered, or
   * when its deadline would pass before its answer, at half the rate that is measured.
   */
  assertTakes(sampleCount: number, priority: number, deadlineAt: number): void {
    this.#assertFits(sampleCount, this.#sampleCount);
    this.#assertInTime(sampleCount, this.#samplesAhead(priority), deadlineAt);
  }

  /**
   * Keeps a place for a query that is still arriving: those that arrive side by side would each find the
   * queue short, and each be refused once it is there.
   *
   * @returns Gives the place back; to be called before the query is submitted.
   * @throws ShardpoolError SERVER_OVERLOADED as `assertTakes` does, with those counted that have a place.
   */
  reserve(sampleCount: number, priority: number, deadlineAt: number): () => void {
    const nowMs = this.#options.clock.nowMs();
    const arriving = this.#arriving.count(PRIORITY_LEVELS, nowMs);
    this.#assertFits(sampleCount, this.#sampleCount + arriving);
    const ahead = this.#samplesAhead(priority) + this.#arriving.count(priority, nowMs);
    this.#assertInTime(sampleCount, ahead, deadlineAt);
    return this.#arriving.add(sampleCount, priority, nowMs);
  }

  #samplesAhead(priority: number): number {
    let samplesAhead = 0;
    for (let level = 0; level < priority; level++) samplesAhead += this.#queuedCounts[level]!;
    return samplesAhead;
  }

  #assertFits(sampleCount: number, waiting: number): void {
    const { queueSampleCountMax } = this.#options;
    if (waiting + sampleCount <= queueSampleCountMax) return;
    throw overloaded(
      `${waiting} samples are waiting, ${sampleCount} more would pass the limit of ${queueSampleCountMax}`,
    );
  }

  #assertInTime(sampleCount: number, samplesAhead: number, deadlineAt: number): void {
    const { queueAgeMsMax, clock } = this.#options;
    // Nobody is ahead: it starts with the next batch, and that measures the rate anew.
    if (samplesAhead === 0) return;
    const waitMs = this.#rate.estimateMs(samplesAhead + sampleCount);
    const leftMs = deadlineAt - clock.nowMs();
    const queuedMs = Math.max(0, waitMs - this.#rate.batchMs);
    const slowMs = waitMs + (QUEUE_CAUTION - 1) * queuedMs;
    if (waitMs <= queueAgeMsMax && slowMs <= leftMs) return;
    throw overloaded(
      `${samplesAhead} samples are ahead, ` +
        (slowMs > leftMs
          ? `an answer may take ${Math.ceil(slowMs)} ms; the deadline is in ${Math.floor(leftMs)} ms`
          : `an answer would take ${Math.ceil(waitMs)} ms; the limit is ${queueAgeMsMax} ms`),
    );
  }

  /**
   * Takes a query in.
   *
   * @throws ShardpoolError as `assertTakes` does.
   */
  submit(query: Query): QueryCall {
    const { clock } = this.#options;
    this.assertTakes(query.sampleCount, query.priority, query.deadlineAt);
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
    this.#queuedCounts[query.priority - 1]! += query.sampleCount;
  }

  #startBatches(): void {
    while (this.#batchesInFlight < this.#options.batchesInFlightMax) {
      const pieces = this.#takePieces();
      if (pieces.length === 0) return;
      void this.#run(pieces);
    }
  }

  /** What waits longest of the highest priority, up to a batch; what needs no answer is dropped. */
  #takePieces(): QueuedPiece[] {
    const taken: QueuedPiece[] = [];
    let room = this.#options.batchSampleCountMax;
    for (const [level, queue] of this.#queues.entries()) {
      let next = queue[0];
      while (next && (this.#isDropped(next) || next.sampleCount <= room)) {
        queue.shift();
        this.#queuedCounts[level]! -= next.sampleCount;
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

  /** Over already, or given up here because it waited too long or comes too late in any case. */
  #isDropped({ pending, query }: QueuedPiece): boolean {
    if (pending.isOver) return true;
    const { clock, queueAgeMsMax } = this.#options;
    const nowMs = clock.nowMs();
    if (nowMs - query.arrivedAt > queueAgeMsMax) {
      pending.fail(overloaded(`the query waited for a batch longer than ${queueAgeMsMax} ms`));
    } else if (nowMs + this.#lateFromMs() > query.deadlineAt) {
      pending.fail(deadlinePassed());
    }
    return pending.isOver;
  }

  /** A batch that starts with less time left than half of what batches take is work for nobody. */
  #lateFromMs(): number {
    return this.#rate.batchMs / 2;
  }

  async #run(pieces: readonly QueuedPiece[]): Promise<void> {
    const { predictor, clock } = this.#options;
    this.#batchesInFlight++;
    const startedAt = clock.nowMs();
    const isFull = this.#queues.some((queue) => queue.length > 0);
    const sampleCount = pieces.reduce((sum, piece) => sum + piece.sampleCount, 0);
    try {
      const deadlineAt = Math.max(...pieces.map(({ query }) => query.deadlineAt));
      const call = predictor.predict(
        joinPieces(pieces),
        deadlineAt,
        this.#observe(pieces, sampleCount),
      );
      abandonWhenAllAreOver(pieces, () => call.abandon());
      const prediction = await call.result;
      if (isFull) this.#rate.record(sampleCount, startedAt, clock.nowMs());
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

  #observe(pieces: readonly QueuedPiece[], sampleCount: number): BatchObserver | undefined {
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

function overloaded(detail: string): ShardpoolError {
  return new ShardpoolError("SERVER_OVERLOADED", detail);
}

function deadlinePassed(): ShardpoolError {
  return new ShardpoolError("DEADLINE_EXCEEDED", "the answer was not ready at the deadline");
}
