import type { QueryStages } from "./query.js";
import type { ServedModel } from "./served-model.js";

/** `inference.StatisticDuration`. */
export interface DurationSum {
  count: number;
  ns: number;
}

/** `inference.InferStatistics`: sums over queries since the start. */
export interface InferStatistics {
  readonly success: DurationSum;
  readonly fail: DurationSum;
  /** Waiting in the frontend. */
  readonly queue: DurationSum;
  /** The lookups: the slowest shard, network included. */
  readonly computeInput: DurationSum;
  /** The dense part. */
  readonly computeInfer: DurationSum;
  /** Nothing is left to do after the dense part that a clock could see. */
  readonly computeOutput: DurationSum;
}

/** `inference.InferBatchStatistics`. */
export interface BatchStatistics {
  readonly batchSize: number;
  readonly computeInput: DurationSum;
  readonly computeInfer: DurationSum;
  readonly computeOutput: DurationSum;
}

/** What `ModelStatistics` tells, as Triton's statistics extension defines it. */
export class ModelStatistics {
  readonly inference: InferStatistics = {
    success: none(),
    fail: none(),
    queue: none(),
    computeInput: none(),
    computeInfer: none(),
    computeOutput: none(),
  };
  /** Milliseconds since 1970 of the last query; 0 before the first. */
  lastInferenceMs = 0;
  /** Samples answered. */
  inferenceCount = 0;
  /** Batches run. */
  executionCount = 0;
  /** By samples of a batch; there are no more sizes than the largest batch allowed. */
  readonly #batches = new Map<number, BatchStatistics>();

  recordAnswer(stages: QueryStages, totalUs: number, sampleCount: number, wallMs: number): void {
    this.lastInferenceMs = wallMs;
    this.inferenceCount += sampleCount;
    add(this.inference.success, totalUs);
    add(this.inference.queue, stages.queueUs);
    add(this.inference.computeInput, lookupUsOf(stages));
    add(this.inference.computeInfer, stages.denseUs);
    add(this.inference.computeOutput, 0);
  }

  recordFailure(totalUs: number, wallMs: number): void {
    this.lastInferenceMs = wallMs;
    add(this.inference.fail, totalUs);
  }

  /** A batch that went through both parts. */
  recordBatch(sampleCount: number, lookupUs: number, denseUs: number): void {
    this.executionCount++;
    let batch = this.#batches.get(sampleCount);
    if (!batch) {
      batch = {
        batchSize: sampleCount,
        computeInput: none(),
        computeInfer: none(),
        computeOutput: none(),
      };
      this.#batches.set(sampleCount, batch);
    }
    add(batch.computeInput, lookupUs);
    add(batch.computeInfer, denseUs);
    add(batch.computeOutput, 0);
  }

  /** Smallest first. */
  get batches(): BatchStatistics[] {
    return [...this.#batches.values()].toSorted((a, b) => a.batchSize - b.batchSize);
  }
}

/** `inference.ModelStatistics`. */
export function statisticsOf({ manifest }: ServedModel, statistics: ModelStatistics) {
  return {
    name: manifest.name,
    version: manifest.version,
    lastInference: statistics.lastInferenceMs,
    inferenceCount: statistics.inferenceCount,
    executionCount: statistics.executionCount,
    inferenceStats: statistics.inference,
    batchStats: statistics.batches,
  };
}

function lookupUsOf({ networkUs, shardQueueUs, memoryUs, ssdUs, poolUs }: QueryStages): number {
  return networkUs + shardQueueUs + memoryUs + ssdUs + poolUs;
}

function none(): DurationSum {
  return { count: 0, ns: 0 };
}

function add(sum: DurationSum, us: number): void {
  sum.count++;
  sum.ns += Math.round(us * 1000);
}
