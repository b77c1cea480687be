import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { ShardpoolError } from "../../../lib/errors.js";
import type { ModelBatch } from "../../../services/frontend/batch-join.js";
import {
  Batcher,
  type BatcherOptions,
  type QueryCall,
} from "../../../services/frontend/batcher.js";
import type { PredictCall, Prediction } from "../../../services/frontend/predictor.js";
import type { Query } from "../../../services/frontend/query.js";

/** Answers when told to; a sample's probability is its first dense feature. */
class HeldPredictor {
  readonly batches: {
    readonly batch: ModelBatch;
    isAbandoned: boolean;
    finish(cost?: Cost): void;
  }[] = [];

  predict(batch: ModelBatch): PredictCall {
    let resolve: (prediction: Prediction) => void = () => {};
    let reject: (error: Error) => void = () => {};
    const result = new Promise<Prediction>((onDone, onError) => {
      resolve = onDone;
      reject = onError;
    });
    const entry = {
      batch,
      isAbandoned: false,
      finish: (cost?: Cost) => resolve(predictionOf(batch, cost)),
    };
    this.batches.push(entry);
    const abandon = (): void => {
      entry.isAbandoned = true;
      reject(new ShardpoolError("CALL_CANCELLED", "given up"));
    };
    return { result, abandon };
  }

  get sampleCounts(): number[] {
    return this.batches.map(({ batch }) => batch.sampleCount);
  }
}

type Cost = Partial<Prediction["cost"]>;

function predictionOf({ denseFeatures }: ModelBatch, cost: Cost = {}): Prediction {
  return {
    probability: denseFeatures.slice(),
    pooled: new Float32Array(denseFeatures.length),
    cost: {
      ...{ networkUs: 0, shardQueueUs: 0, memoryUs: 0, ssdUs: 0, poolUs: 0 },
      ...{ rowsHit: 0, rowsMissed: 0, blocksRead: 0, shards: [] },
      ...cost,
    },
    denseWaitUs: 0,
    denseUs: 0,
    release: () => {},
  };
}

/** What was submitted: the timer of a query without an end would keep the process for its deadline. */
const calls: QueryCall[] = [];

class Bench {
  nowMs = 1000;
  readonly predictor = new HeldPredictor();
  readonly batcher: Batcher;

  constructor(options: Partial<BatcherOptions> = {}) {
    this.batcher = new Batcher({
      predictor: this.predictor,
      clock: { nowMs: () => this.nowMs, wallMs: () => this.nowMs },
      ...{ batchSampleCountMax: 10, batchesInFlightMax: 1 },
      ...{ queueSampleCountMax: 1000, queueAgeMsMax: 100_000 },
      ...options,
    });
  }

  submit(sampleCount: number, { priority = 2, timeoutMs = 50_000, first = 0 } = {}) {
    const query: Query = {
      sampleCount,
      denseFeatures: Float32Array.from({ length: sampleCount }, (_, i) => first + i),
      batch: {
        ...{ featureCount: 1, sampleCount, values: new Int32Array(0) },
        lengths: new Int32Array(sampleCount),
      },
      wantsPooled: false,
      ...{ priority, arrivedAt: this.nowMs, deadlineAt: this.nowMs + timeoutMs },
    };
    const call = this.batcher.submit(query);
    calls.push(call);
    call.result.catch(() => {});
    return call;
  }

  /** Ends the newest batch after some time, and lets the next one start. */
  async finish(afterMs: number, cost: Cost = {}): Promise<void> {
    this.nowMs += afterMs;
    this.predictor.batches.at(-1)!.finish(cost);
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Full batches of ten samples, 100 ms each: 100 samples a second are measured. */
  async measureRate(): Promise<void> {
    for (let i = 0; i < 6; i++) this.submit(10);
    for (let i = 0; i < 6; i++) await this.finish(100);
  }
}

describe("Batcher", () => {
  after(() => {
    for (const call of calls) call.cancel();
  });

  it("sends at once when idle, and joins what has come meanwhile up to a batch", async () => {
    const bench = new Bench();
    bench.submit(3);
    assert.deepEqual(bench.predictor.sampleCounts, [3]);

    bench.submit(4, { first: 10 });
    const joined = bench.submit(5, { first: 20 });
    bench.submit(2, { first: 30 });
    await bench.finish(1);
    assert.deepEqual(bench.predictor.sampleCounts, [3, 9]);

    await bench.finish(1);
    assert.deepEqual(bench.predictor.sampleCounts, [3, 9, 2]);
    assert.deepEqual([...(await joined.result).probability], [20, 21, 22, 23, 24]);
    await bench.finish(1);
    assert.equal(bench.batcher.sampleCount, 0);
  });

  it("cuts what is larger than a batch into equal pieces, and puts the answer together", async () => {
    const bench = new Bench();
    const { result } = bench.submit(24);
    for (let i = 0; i < 3; i++) await bench.finish(1);

    assert.deepEqual(bench.predictor.sampleCounts, [8, 8, 8]);
    const expected = Array.from({ length: 24 }, (_, i) => i);
    assert.deepEqual([...(await result).probability], expected);
  });

  it("tells a split of the time of a query in several batches that ran side by side", async () => {
    const bench = new Bench({ batchesInFlightMax: 2 });
    const { result } = bench.submit(20);
    const [first, second] = bench.predictor.batches;
    // 30 ms in the network beside 30 ms of a slow disk: together they are no 60 ms.
    first!.finish({ networkUs: 30_000, ssdUs: 100, rowsHit: 4, rowsMissed: 1, blocksRead: 1 });
    await bench.finish(30, { networkUs: 100, ssdUs: 29_000, rowsHit: 2, rowsMissed: 3 });

    assert.ok(second !== undefined);
    const { stages } = await result;
    const { networkUs, shardQueueUs, memoryUs, ssdUs, poolUs, queueUs, denseUs } = stages;
    const sumUs = networkUs + shardQueueUs + memoryUs + ssdUs + poolUs + queueUs + denseUs;
    assert.ok(sumUs <= 30_000, `${sumUs} us of 30 ms`);
    assert.equal(ssdUs, 29_000);
    const { rowsHit, rowsMissed, blocksRead } = stages;
    assert.deepEqual(
      { rowsHit, rowsMissed, blocksRead },
      { rowsHit: 6, rowsMissed: 4, blocksRead: 1 },
    );
  });

  it("counts from the admission what a later batch of a query waited", async () => {
    const bench = new Bench();
    const { result } = bench.submit(20);
    await bench.finish(40);
    await bench.finish(10);

    assert.equal((await result).stages.queueUs, 40_000);
  });

  it("lets a higher priority pass those that wait", async () => {
    const bench = new Bench();
    bench.submit(10);
    bench.submit(10, { priority: 3, first: 100 });
    bench.submit(10, { priority: 2, first: 200 });
    bench.submit(10, { priority: 1, first: 300 });

    for (let i = 0; i < 4; i++) await bench.finish(1);

    const firsts = bench.predictor.batches.map(({ batch }) => batch.denseFeatures[0]);
    assert.deepEqual(firsts, [0, 300, 200, 100]);
  });

  it("refuses what does not fit beside those not yet answered, with the numbers", () => {
    const bench = new Bench({ queueSampleCountMax: 20 });
    bench.submit(15);

    assert.throws(() => bench.submit(6), { code: "SERVER_OVERLOADED", message: /15.*6.*20/ });
    bench.submit(5);
  });

  it("refuses at once what the measured rate cannot answer by its deadline", async () => {
    const bench = new Bench();
    await bench.measureRate();
    assert.ok(Math.abs(bench.batcher.samplesPerSecond - 100) < 1);
    bench.submit(10);
    for (let i = 0; i < 3; i++) bench.submit(10);

    // 30 samples are ahead, with its own 40: twice 400 ms to be sure, and 100 ms for the batch in flight.
    assert.throws(() => bench.submit(10, { timeoutMs: 850 }), {
      code: "SERVER_OVERLOADED",
      message: /30 samples are ahead.*may take 9\d\d ms.*deadline is in 850 ms/,
    });
    bench.submit(10, { timeoutMs: 950 });
    // Nobody of its class or above is ahead of it.
    bench.submit(10, { timeoutMs: 200, priority: 1 });
  });

  it("takes a query in when nobody is ahead, however slow it was", async () => {
    const bench = new Bench();
    await bench.measureRate();

    const { result } = bench.submit(10, { timeoutMs: 150 });

    await bench.finish(10);
    assert.equal((await result).probability.length, 10);
  });

  it("refuses what would wait longer than the queue's age, and drops what has", async () => {
    const bench = new Bench({ queueAgeMsMax: 300 });
    await bench.measureRate();
    bench.submit(10);
    bench.submit(10);
    const late = bench.submit(10);
    assert.throws(() => bench.submit(10), {
      code: "SERVER_OVERLOADED",
      message: /limit is 300 ms/,
    });

    await bench.finish(301);

    await assert.rejects(late.result, { code: "SERVER_OVERLOADED", message: /longer than 300 ms/ });
  });

  it("does not start what comes too late in any case", async () => {
    const bench = new Bench();
    await bench.measureRate();
    bench.submit(10);
    const late = bench.submit(10, { timeoutMs: 50_000 });
    const before = bench.predictor.batches.length;

    await bench.finish(49_970);

    await assert.rejects(late.result, { code: "DEADLINE_EXCEEDED" });
    assert.equal(bench.predictor.batches.length, before);
  });

  it("counts those that are still arriving, until their place is given back or too old", async () => {
    const bench = new Bench({ queueSampleCountMax: 100 });
    await bench.measureRate();
    const reserve = (sampleCount: number, timeoutMs: number, priority = 2): (() => void) =>
      bench.batcher.reserve(sampleCount, priority, bench.nowMs + timeoutMs);
    const places = [reserve(10, 150), reserve(10, 50_000), reserve(10, 50_000, 3)];

    // 20 of its class are arriving, with its own 30 samples: twice 300 ms, and 100 ms for a batch.
    assert.throws(() => reserve(10, 650), { message: /20 samples are ahead.*may take 7\d\d ms/ });
    assert.throws(() => reserve(71, 50_000), { message: /30 samples are waiting, 71 more/ });
    reserve(10, 650, 1)();
    places[0]!();
    places[0]!();
    reserve(10, 650)();

    bench.nowMs += 1001;
    reserve(100, 50_000);
  });

  it("takes a query in that kept its place, whoever else is arriving", async () => {
    const bench = new Bench();
    await bench.measureRate();
    const giveBack = bench.batcher.reserve(10, 2, bench.nowMs + 350);
    for (let i = 0; i < 5; i++) bench.batcher.reserve(10, 2, bench.nowMs + 50_000);

    giveBack();
    bench.submit(10, { timeoutMs: 350 });
  });

  it("gives a batch up when nobody waits for any of it", async () => {
    const bench = new Bench();
    bench.submit(1);
    const calls = [bench.submit(2), bench.submit(3)];
    await bench.finish(1);

    calls[0]!.cancel();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(bench.predictor.batches[1]!.isAbandoned, false);
    calls[1]!.cancel();
    await assert.rejects(calls[1]!.result, { code: "CALL_CANCELLED" });
    await new Promise((resolve) => setImmediate(resolve));

    assert.equal(bench.predictor.batches[1]!.isAbandoned, true);
    assert.equal(bench.batcher.sampleCount, 0);
  });
});
