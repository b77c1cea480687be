import type { Clock } from "../../lib/clock.js";
import { ShardpoolError } from "../../lib/errors.js";
import type { ModelBatch } from "./batch-join.js";
import type { BatchObserver } from "./batch-observer.js";
import type { BufferPool } from "./buffer-pool.js";
import type { DensePool } from "./dense-pool.js";
import type { FanOut, FanOutCall, LookupCost } from "./fan-out.js";

export interface Prediction {
  /** `[B]`. */
  readonly probability: Float32Array;
  /** `[B]`, where the graph gives it. */
  readonly logit?: Float32Array;
  /** `[B, ΣE]`; gone after `release`. */
  readonly pooled: Float32Array;
  readonly cost: LookupCost;
  /** Microseconds before the dense worker took it, and inside the session. */
  readonly denseWaitUs: number;
  readonly denseUs: number;
  /** Gives the buffer of `pooled` back; call it once. */
  release(): void;
}

export interface PredictCall {
  readonly result: Promise<Prediction>;
  /** Nobody waits any more: what has not begun is left out, and `result` fails. */
  abandon(): void;
}

export interface PredictorOptions {
  readonly fanOut: FanOut;
  readonly densePool: DensePool;
  /** The one that `fanOut` takes from. */
  readonly buffers: BufferPool;
  readonly clock: Clock;
}

/** A batch through the whole model: lookups on the shards, then the dense part. */
export class Predictor {
  readonly #options: PredictorOptions;

  constructor(options: PredictorOptions) {
    this.#options = options;
  }

  /** True while every partition has a shard that can be asked. */
  get isComplete(): boolean {
    return this.#options.fanOut.isComplete;
  }

  /** @param deadlineAt On the clock given. */
  predict(batch: ModelBatch, deadlineAt: number, observer?: BatchObserver): PredictCall {
    const call: { lookup?: FanOutCall; isAbandoned: boolean } = { isAbandoned: false };
    return {
      result: this.#predict(batch, deadlineAt, call, observer),
      abandon: () => {
        call.isAbandoned = true;
        call.lookup?.abandon();
      },
    };
  }

  async #predict(
    batch: ModelBatch,
    deadlineAt: number,
    call: { lookup?: FanOutCall; readonly isAbandoned: boolean },
    observer: BatchObserver | undefined,
  ): Promise<Prediction> {
    for (let triesLeft = 1; ; triesLeft--) {
      const lookup = this.#options.fanOut.lookup(batch.batch, deadlineAt, observer);
      call.lookup = lookup;
      const { pooled, cost } = await lookup.result;
      try {
        return await this.#runDense(batch, pooled, cost, observer);
      } catch (error) {
        // A worker that died took `pooled` along, so the second try begins with the lookups.
        const isLost = error instanceof ShardpoolError && error.code === "PROCESS_FAILED";
        if (!isLost || triesLeft === 0 || call.isAbandoned) throw error;
      }
    }
  }

  async #runDense(
    batch: ModelBatch,
    lent: Float32Array,
    cost: LookupCost,
    observer: BatchObserver | undefined,
  ): Promise<Prediction> {
    const { densePool, buffers, clock } = this.#options;
    const handedOverAt = clock.nowMs();
    const { probability, logit, pooled, runUs } = await densePool.run({
      dense: batch.denseFeatures,
      pooled: lent,
      sampleCount: batch.sampleCount,
    });
    const endedAt = clock.nowMs();
    observer?.recordDense(handedOverAt, endedAt, runUs);
    return {
      probability,
      ...(logit && { logit }),
      pooled,
      cost,
      denseUs: runUs,
      denseWaitUs: Math.max(0, (endedAt - handedOverAt) * 1000 - runUs),
      release: () => buffers.give(pooled.buffer as ArrayBuffer),
    };
  }
}
