import type { Clock } from "../../lib/clock.js";
import { ShardpoolError } from "../../lib/errors.js";
import { float16sToFloat32s } from "../../lib/model/float16-kernels.js";
import type { BatchObserver, LookupObservation } from "./batch-observer.js";
import type { BufferPool } from "./buffer-pool.js";
import { bytesOf, floatsOf, halvesOf } from "./byte-views.js";
import type { LookupCost, ShardSpan } from "./fan-out.js";
import type { PooledAssembler } from "./pooled-assembler.js";
import type { RoutedSegment } from "./router.js";
import type { ShardChooser, ShardLookup } from "./shard-chooser.js";
import type { ShardClient } from "./shard-client.js";
import type { AbandonLookup, LookupBody, LookupWaiter } from "./shard-connection.js";
import type { LookupReply, LookupSegment, ShardTimings } from "./shard-wire.js";

export interface FanOutRunOptions {
  readonly chooser: ShardChooser;
  readonly assembler: PooledAssembler;
  /** Shards of the plan, for messages. */
  readonly shardCount: number;
  readonly sampleCount: number;
  readonly deadlineAt: number;
  readonly clock: Clock;
  /** Ask for sums of half the size, rounded. */
  readonly float16Answers: boolean;
  /** Where float16 sums become float32. */
  readonly buffers: BufferPool;
  readonly observer?: BatchObserver;
}

const NO_BYTES = new Uint8Array(0);
const UINT32_MAX = 0xffffffff;

/** The lookups of one batch, from the first message to the last answer or the first failure. */
export class FanOutRun {
  readonly #options: FanOutRunOptions;
  readonly #pending = new Map<ShardLookup, SentLookup>();
  readonly #failed = new Map<ShardClient, ShardpoolError>();
  readonly #cost = emptyCost();
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;
  #resolve: (cost: LookupCost) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(options: FanOutRunOptions) {
    this.#options = options;
  }

  /** Runs once. */
  start(segments: readonly RoutedSegment[]): Promise<LookupCost> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      const timeoutMs = this.#options.deadlineAt - this.#options.clock.nowMs();
      if (timeoutMs <= 0) {
        this.fail(new ShardpoolError("DEADLINE_EXCEEDED", "the deadline passed before the lookup"));
        return;
      }
      this.#timer = setTimeout(() => this.#failLate(), timeoutMs);
      this.#sendAll(segments);
    });
  }

  /** Ends the run with an error; harmless when it is over. */
  fail(error: unknown): void {
    if (!this.#end()) return;
    for (const { abandon, watched } of this.#pending.values()) {
      abandon();
      watched?.end(codeOf(error), null);
    }
    this.#pending.clear();
    this.#reject(error);
  }

  #sendAll(segments: readonly RoutedSegment[]): void {
    try {
      for (const lookup of this.#options.chooser.group(segments, this.#failed)) this.#send(lookup);
    } catch (error) {
      this.fail(error);
      return;
    }
    if (this.#pending.size === 0) this.#succeed();
  }

  #send(lookup: ShardLookup): void {
    const sentAt = this.#options.clock.nowMs();
    const watched = this.#options.observer?.startLookup(lookup.client.shardId);
    const abandon = this.#ask(lookup, watched, {
      onReply: (reply) => {
        watched?.end("OK", reply.timings);
        this.#receive(lookup, reply, sentAt);
      },
      onError: (error) => {
        watched?.end(codeOf(error), null);
        this.#retryElsewhere(lookup, error);
      },
    });
    this.#pending.set(lookup, { abandon, watched });
  }

  #ask(
    lookup: ShardLookup,
    watched: LookupObservation | undefined,
    waiter: LookupWaiter,
  ): AbandonLookup {
    try {
      return lookup.client.lookup(this.#bodyOf(lookup, watched), waiter);
    } catch (error) {
      watched?.end(codeOf(error), null);
      throw error;
    }
  }

  #bodyOf({ client, segments }: ShardLookup, watched?: LookupObservation): LookupBody {
    const { chooser, sampleCount, deadlineAt, clock } = this.#options;
    const timeoutUs = Math.ceil((deadlineAt - clock.nowMs()) * 1000);
    return {
      // 0 would mean no deadline.
      timeoutUs: Math.min(UINT32_MAX, Math.max(1, timeoutUs)),
      sampleCount,
      float16Reply: this.#options.float16Answers,
      traceparent: watched?.traceparent ?? "",
      segments: segments.map(
        (segment): LookupSegment => ({
          partition: client.partitionNumber(chooser.partitionIdOf(segment)),
          lengths: bytesOf(segment.lengths),
          values: bytesOf(segment.values),
          weights: segment.weights ? bytesOf(segment.weights) : NO_BYTES,
        }),
      ),
    };
  }

  #receive(lookup: ShardLookup, reply: LookupReply, sentAt: number): void {
    if (this.#isOver) return;
    this.#pending.delete(lookup);
    const { assembler, clock, float16Answers } = this.#options;
    const valueBytes = float16Answers ? Uint16Array.BYTES_PER_ELEMENT : 4;
    let expectedBytes = 0;
    for (const segment of lookup.segments) {
      expectedBytes += assembler.segmentValues(segment) * valueBytes;
    }
    if (reply.pooled.byteLength !== expectedBytes) {
      this.fail(
        new ShardpoolError(
          "FORMAT_UNSUPPORTED",
          `${lookup.client.shardId} answered ${reply.pooled.byteLength} bytes of sums, expected ${expectedBytes}`,
        ),
      );
      return;
    }
    // Pending ones excluded, the last to come is the slowest: its stages stand for the batch.
    recordCost(this.#cost, lookup.client.shardId, reply, (clock.nowMs() - sentAt) * 1000);
    if (float16Answers) this.#placeHalves(lookup.segments, halvesOf(reply.pooled));
    else assembler.place(lookup.segments, floatsOf(reply.pooled));
    if (this.#pending.size === 0) this.#succeed();
  }

  #placeHalves(segments: readonly RoutedSegment[], halves: Uint16Array): void {
    const { assembler, buffers } = this.#options;
    const sums = buffers.take(halves.length);
    float16sToFloat32s(halves, sums);
    assembler.place(segments, sums);
    buffers.give(sums.buffer as ArrayBuffer);
  }

  #retryElsewhere(lookup: ShardLookup, error: ShardpoolError): void {
    if (this.#isOver) return;
    this.#pending.delete(lookup);
    if (!error.transient) {
      this.fail(this.#named(error));
      return;
    }
    this.#failed.set(lookup.client, error);
    if (this.#options.chooser.canReplace(lookup, this.#failed)) this.#sendAll(lookup.segments);
    else this.fail(this.#named(error));
  }

  #named(error: ShardpoolError): ShardpoolError {
    return new ShardpoolError(
      error.code,
      `1 of ${this.#options.shardCount} shards failed: ${error.detail}`,
      { cause: error },
    );
  }

  #failLate(): void {
    const late = [...this.#pending.keys()].map(({ client }) => client.shardId);
    this.fail(
      new ShardpoolError(
        "DEADLINE_EXCEEDED",
        `${late.length} of ${this.#options.shardCount} shards did not answer by the deadline: ${late.join(", ")}`,
      ),
    );
  }

  #succeed(): void {
    if (!this.#end()) return;
    this.#options.assembler.finish();
    this.#resolve(this.#cost);
  }

  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    clearTimeout(this.#timer);
    return true;
  }
}

interface SentLookup {
  readonly abandon: AbandonLookup;
  readonly watched: LookupObservation | undefined;
}

function codeOf(error: unknown): string {
  return error instanceof ShardpoolError ? error.code : "INTERNAL";
}

type RunningCost = { -readonly [K in keyof LookupCost]: LookupCost[K] } & { shards: ShardSpan[] };

const NO_TIMINGS: ShardTimings = { queueUs: 0, memoryUs: 0, ssdUs: 0, poolUs: 0, totalUs: 0 };

function emptyCost(): RunningCost {
  return {
    networkUs: 0,
    shardQueueUs: 0,
    memoryUs: 0,
    ssdUs: 0,
    poolUs: 0,
    rowsHit: 0,
    rowsMissed: 0,
    blocksRead: 0,
    shards: [],
  };
}

function recordCost(
  cost: RunningCost,
  shardId: string,
  reply: LookupReply,
  waitedUs: number,
): void {
  const timings = reply.timings ?? NO_TIMINGS;
  cost.shards.push({ shardId, waitedUs, timings });
  cost.rowsHit += reply.rowsHit;
  cost.rowsMissed += reply.rowsMissed;
  cost.blocksRead += reply.blocksRead;
  cost.networkUs = Math.max(0, waitedUs - timings.totalUs);
  cost.shardQueueUs = timings.queueUs;
  cost.memoryUs = timings.memoryUs;
  cost.ssdUs = timings.ssdUs;
  cost.poolUs = timings.poolUs;
}
