import type { Clock } from "../../lib/clock.js";
import { ShardpoolError } from "../../lib/errors.js";
import type { JaggedBatch } from "../../lib/jagged-batch.js";
import type { ModelManifest } from "../../lib/model/manifest.js";
import type { ShardingPlan } from "../../lib/plan/plan.js";
import type { BatchObserver } from "./batch-observer.js";
import type { BufferPool } from "./buffer-pool.js";
import { FanOutRun } from "./fan-out-run.js";
import { PooledAssembler } from "./pooled-assembler.js";
import { type PooledLayout, pooledLayoutOf } from "./pooled-layout.js";
import { Router } from "./router.js";
import { ShardChooser } from "./shard-chooser.js";
import type { ShardClient } from "./shard-client.js";
import type { ShardTimings } from "./shard-wire.js";

/** One shard's part in a batch, microseconds. */
export interface ShardSpan {
  readonly shardId: string;
  /** From the message to the answer, on the frontend's clock. */
  readonly waitedUs: number;
  /** On the shard's clock; the network took the rest of `waitedUs`. */
  readonly timings: ShardTimings;
}

/** What the lookups of one batch cost; microseconds of the shard that answered last. */
export interface LookupCost {
  /** The caller's wait minus what the shard reports. */
  readonly networkUs: number;
  readonly shardQueueUs: number;
  readonly memoryUs: number;
  readonly ssdUs: number;
  readonly poolUs: number;
  /** Sums over all shards. */
  readonly rowsHit: number;
  readonly rowsMissed: number;
  readonly blocksRead: number;
  /** Every answer, in the order they came. */
  readonly shards: readonly ShardSpan[];
}

export interface FanOutResult {
  /** `[B, ΣE]`, features in order; it may be the start of a longer buffer. */
  readonly pooled: Float32Array;
  readonly cost: LookupCost;
}

export interface FanOutCall {
  /** @throws ShardpoolError naming how many shards failed, which and why. */
  readonly result: Promise<FanOutResult>;
  /** Nobody waits any more: `result` is rejected with CALL_CANCELLED unless it is there already. */
  abandon(): void;
}

export interface FanOutOptions {
  readonly manifest: ModelManifest;
  /** It must fit the model. */
  readonly plan: ShardingPlan;
  /** By shard id, one for every shard of the plan. */
  readonly clients: ReadonlyMap<string, ShardClient>;
  /** Where `pooled` comes from; who gets a result gives its buffer back. */
  readonly buffers: BufferPool;
  readonly clock: Clock;
}

/** Looks a batch up on all shards at once, under one plan. */
export class FanOut {
  readonly layout: PooledLayout;
  /** Ask shards for float16 sums from here on: half the bytes, and pooled is no longer exact. */
  float16Answers = false;
  readonly #options: FanOutOptions;
  readonly #router: Router;
  readonly #chooser: ShardChooser;

  constructor(options: FanOutOptions) {
    this.#options = options;
    this.layout = pooledLayoutOf(options.manifest, options.plan);
    this.#router = new Router(options.plan, options.manifest);
    this.#chooser = new ShardChooser(options.plan, options.clients);
  }

  /** True while every partition of the plan has a shard that can be asked. */
  get isComplete(): boolean {
    return this.#chooser.isComplete;
  }

  /**
   * Sends one message to each shard that holds rows of the batch. When a shard fails, its part goes
   * to replicas where the plan has them.
   *
   * @param batch Every id must be a row of its table; it must not change before the result is there.
   * @param deadlineAt On the clock given; after it the call fails with DEADLINE_EXCEEDED.
   */
  lookup(batch: JaggedBatch, deadlineAt: number, observer?: BatchObserver): FanOutCall {
    const { plan, buffers, clock } = this.#options;
    const segments = this.#router.route(batch);
    const pooled = buffers.take(batch.sampleCount * this.layout.width);
    const run = new FanOutRun({
      chooser: this.#chooser,
      assembler: new PooledAssembler(this.layout, plan.partitions, batch, segments, pooled),
      shardCount: plan.shards.length,
      sampleCount: batch.sampleCount,
      deadlineAt,
      clock,
      float16Answers: this.float16Answers,
      buffers,
      ...(observer && { observer }),
    });
    const result = run.start(segments).then(
      (cost) => ({ pooled, cost }),
      (error: unknown) => {
        buffers.give(pooled.buffer as ArrayBuffer);
        throw error;
      },
    );
    return {
      result,
      abandon: () => run.fail(new ShardpoolError("CALL_CANCELLED", "the caller went away")),
    };
  }
}
