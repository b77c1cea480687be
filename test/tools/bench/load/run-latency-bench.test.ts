import assert from "node:assert/strict";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { ShardpoolError } from "../../../../lib/errors.js";
import { LatencyHistogram } from "../../../../tools/bench/load/latency-histogram.js";
import type { LatencyOptionsInput } from "../../../../tools/bench/load/latency-options.js";
import { parseLatencyResult } from "../../../../tools/bench/load/latency-result.js";
import {
  assertGoodResult,
  runLatencyBench,
} from "../../../../tools/bench/load/run-latency-bench.js";
import { machineNowMs } from "../../../../tools/bench/load/shared-clock.js";
import { ROW_COUNT, writeBenchLog } from "../../../support/bench-log.js";
import {
  FakeInferenceServer,
  type FakeInferenceServerOptions,
} from "../../../support/fake-inference-server.js";
import { tempFolder } from "../../../support/temp-folder.js";
import { waitFor } from "../../../support/wait-for.js";

const TIMINGS = {
  total_us: 1000,
  queue_us: 100,
  network_us: 200,
  shard_queue_us: 10,
  memory_us: 20,
  ssd_us: 300,
  pool_us: 40,
  dense_us: 230,
  rows_hit: 9,
  rows_missed: 3,
  blocks_read: 2,
};

const files = await writeBenchLog(tempFolder());

// Each case has a server of its own, and none asserts how fast the machine is.
describe("runLatencyBench()", { concurrency: 4 }, () => {
  it("sends the offered rate and counts every query", async () => {
    const server = await startServer();

    const result = await run(server, { qps: 200, seconds: 1, warmupSeconds: 0.2 });

    assert.equal(result.queryCount, 200);
    assert.equal(result.answeredCount, 200);
    assert.ok(Math.abs(result.offeredQps! - 200) < 40, `offered ${result.offeredQps}`);
    assert.equal(server.served.length, 240);
    assert.equal(result.clicks.queryCount, 40);
    assert.deepEqual(result.planEpochs, [7]);
    assert.deepEqual(result.errorsByCode, {});
    assert.equal(result.endedBy, "schedule");
    assert.ok(Object.keys(result.cpuSecondsByProcess).includes("client"));
    assert.equal(
      result.overTime.reduce((sum, second) => sum + second.dueCount, 0),
      200,
    );
  });

  it("gives a result that reads back from JSON", async () => {
    const server = await startServer({ timings: TIMINGS });
    const result = await run(server, { qps: 100, seconds: 0.3 });

    const copy = parseLatencyResult(JSON.parse(JSON.stringify(result)), "copy");

    assert.deepEqual(copy, result);
  });

  it("measures no less than the server held each query", async () => {
    const server = await startServer({ hold: (index) => wait(index % 10 === 0 ? 80 : 10) });

    const result = await run(server, { qps: 100, seconds: 1 });

    const heldMs = server.served.map((query) => query.answeredAtMs - query.arrivedAtMs);
    const sorted = heldMs.toSorted((a, b) => a - b);
    assert.ok(result.latencyMs !== null && result.serviceMs !== null);
    assert.ok(result.latencyMs.p50 >= sorted[49]! * 0.999);
    assert.ok(result.latencyMs.p95 >= sorted[94]! * 0.999);
    assert.ok(result.latencyMs.p95 >= 79);
    assert.ok(result.latencyMs.mean >= result.serviceMs.mean);
  });

  it("shows a stall of one second in p99, because queries go on being due", async () => {
    const stall = stallOnce({ afterQueries: 30, ms: 1000 });
    const server = await startServer({ hold: stall });

    const open = await run(server, { qps: 100, seconds: 2 });

    assert.ok(open.latencyMs!.p99 > 900, `p99 ${open.latencyMs!.p99}`);
    assert.equal(open.answeredCount, 200);
  });

  it("is fooled by the same stall in a closed loop, and says which loop it was", async () => {
    const server = await startServer({ hold: stallOnce({ afterQueries: 3, ms: 300 }) });

    const closed = await run(server, { scenario: "single-stream", seconds: 1 });

    assert.equal(closed.scenario, "single-stream");
    assert.equal(closed.offeredQps, null);
    assert.ok(closed.latencyMs!.max > 299);
    assert.ok(closed.queryCount > 3);
  });

  it("follows a schedule: what is offered in each second is the schedule's own", async () => {
    const server = await startServer();

    const result = await run(server, { schedule: "step:20x1s,100x1s" });

    assert.equal(result.seconds, 2);
    assert.equal(result.schedule, "step:20x1s,100x1s");
    const [first, second] = result.overTime.map(({ dueCount }) => dueCount);
    assert.equal(result.queryCount, 120);
    assert.ok(first! < 40 && second! > 80, `${first} then ${second}`);
  });

  it("sends a log all at once, at most a window of it in flight", async () => {
    let inFlight = 0;
    let inFlightMost = 0;
    const server = await startServer({
      hold: async () => {
        inFlightMost = Math.max(inFlightMost, ++inFlight);
        await wait(5);
        inFlight--;
      },
    });

    const result = await run(server, { scenario: "offline", window: 7, seconds: 0.01 });

    assert.equal(inFlightMost, 7);
    assert.equal(result.queryCount >= 40, true);
    assert.equal(result.answeredCount, result.queryCount);
    assert.equal(result.offeredQps, null);
    assert.equal(result.window, 7);
  });

  it("sends from several processes what one would, and merges what they measured", async () => {
    const server = await startServer({ timings: TIMINGS });

    const result = await run(server, { qps: 100, seconds: 1, clients: 2, trace: 3 });

    assert.equal(server.served.length, 100);
    assert.equal(result.queryCount, 100);
    assert.equal(result.answeredCount, 100);
    assert.equal(result.clientCount, 2);
    assert.equal(result.auc?.served, 1);
    assert.equal(result.auc?.sampleCount, 200);
    assert.equal(result.stagesMs?.ssd.mean, 0.3);
    assert.equal(result.traces.length, 3);
    assert.equal(LatencyHistogram.decode(result.latencyHistogram).count, 100);
    assert.deepEqual(
      Object.keys(result.cpuSecondsByProcess).filter((name) => name.startsWith("client-")),
      ["client-0", "client-1"],
    );
  });

  it("passes on why a client process cannot send", async () => {
    const server = await startServer();

    await assert.rejects(run(server, { qps: 10, clients: 2, clicksFile: "no-such-log.arrow" }), {
      code: "FILE_NOT_FOUND",
    });
  });

  it("keeps the way of a sample of queries, each adding up to its latency", async () => {
    const timings = { ...TIMINGS };
    const server = await startServer({ timings, hold: () => wait(3) });

    const { traces } = await run(server, { qps: 100, seconds: 0.5, trace: 5 });

    assert.equal(traces.length, 5);
    for (const { latencyMs, stagesUs, index } of traces) {
      const sumUs = Object.values(stagesUs).reduce((sum, us) => sum + us, 0);
      assert.ok(Math.abs(sumUs - latencyMs * 1000) < 1, `query ${index}: ${sumUs} of ${latencyMs}`);
    }
    assert.deepEqual(
      traces.map(({ index }) => index),
      traces.map(({ index }) => index).toSorted((a, b) => a - b),
    );
  });

  it("splits latency into stages that add up", async () => {
    const server = await startServer({ timings: TIMINGS, hold: () => wait(2) });

    const { stagesMs, latencyMs, ...result } = await run(server, { qps: 100, seconds: 0.5 });

    assert.ok(stagesMs !== null && latencyMs !== null);
    assert.equal(stagesMs.ssd.mean, 0.3);
    assert.equal(stagesMs.other.mean, 0.1);
    const sum = Object.values(stagesMs).reduce((total, stage) => total + stage.mean, 0);
    assert.ok(Math.abs(sum - latencyMs.mean) < 0.002, `${sum} of ${latencyMs.mean}`);
    assert.equal(result.hitRatio, 0.75);
    assert.equal(result.blocksRead, 2 * result.answeredCount);
  });

  it("scores the probabilities served, and shows that shuffled ids lose", async () => {
    const server = await startServer();

    const { auc } = await run(server, { qps: 200, seconds: 0.5, shuffleIds: true });

    assert.ok(auc !== null && auc.shuffled !== null);
    assert.equal(auc.served, 1);
    assert.equal(auc.ceiling, 1);
    assert.equal(auc.sampleCount, 200);
    assert.ok(auc.shuffled > 0.3 && auc.shuffled < 0.7, `shuffled ${auc.shuffled}`);
  });

  it("counts failures by code, apart from latencies", async () => {
    const server = await startServer({
      hold: async (index) => {
        if (index % 4 === 1) throw new ShardpoolError("SHARD_UNAVAILABLE", "shard-2 is down");
        if (index % 4 === 2) throw new Error("a bug");
      },
    });

    const result = await run(server, { qps: 200, seconds: 0.5, slo: "errors<10%,p99<10s" });

    assert.deepEqual(result.errorsByCode, { SHARD_UNAVAILABLE: 25, GRPC_INTERNAL: 25 });
    assert.equal(result.errorRatio, 0.5);
    assert.deepEqual(
      result.slo.map(({ met }) => met),
      [false, true],
    );
    assert.throws(() => assertGoodResult(result, 0.4), { code: "LIMIT_EXCEEDED" });
    assert.throws(() => assertGoodResult(result, 0.6), { code: "SLO_MISSED" });
  });

  it("gives up a query at its deadline", async () => {
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const server = await startServer({ hold: (index) => (index === 3 ? held : wait(0)) });

    // Long enough for the others on a machine that is busy with other tests.
    const result = await run(server, { qps: 50, seconds: 0.2, timeoutMs: 3000 });
    release();

    assert.deepEqual(result.errorsByCode, { DEADLINE_EXCEEDED: 1 });
    assert.equal(result.answeredCount, 9);
  });

  it("sends no query above the limit in flight, and counts it", async () => {
    const server = await startServer({ hold: () => wait(800) });

    const result = await run(server, { qps: 100, seconds: 0.2, inFlightMax: 5 });

    assert.equal(server.arrivedCount, 5);
    assert.deepEqual(result.errorsByCode, { IN_FLIGHT_LIMIT: 15 });
  });

  it("keeps what it measured when the target dies", async () => {
    const server = await startServer();
    const running = run(server, { qps: 100, seconds: 30, targetLostMs: 200 });
    await waitFor("twenty queries", () => server.arrivedCount > 20);
    await server.stop();

    const result = await running;

    assert.equal(result.endedBy, "target-lost");
    assert.ok(result.answeredCount > 10);
    assert.ok(Object.keys(result.errorsByCode).includes("TARGET_UNAVAILABLE"));
    assert.throws(() => assertGoodResult(result, 1), { code: "TARGET_UNAVAILABLE" });
  });

  it("goes on when the target dies and another takes its place in time", async () => {
    const listenAddress = `unix:${join(tempFolder(), "target.sock")}`;
    const first = await startServer({ listenAddress });
    const controller = new AbortController();
    const running = runLatencyBench(
      { ...files, target: listenAddress, qps: 100, seconds: 30, warmupSeconds: 0 },
      { signal: controller.signal },
    );
    await waitFor("twenty queries", () => first.arrivedCount > 20);
    await first.stop();
    const second = await startServer({ listenAddress });
    await waitFor("twenty more", () => second.arrivedCount > 20);
    controller.abort();

    const result = await running;

    assert.equal(result.endedBy, "interrupt");
    assert.ok(result.answeredCount > 30, `${result.answeredCount} answered`);
    for (const code of Object.keys(result.errorsByCode)) assert.equal(code, "TARGET_UNAVAILABLE");
  });

  it("keeps what it measured when it is interrupted", async () => {
    const server = await startServer();
    const controller = new AbortController();
    const running = runLatencyBench(
      { ...files, target: server.address, qps: 100, seconds: 30, warmupSeconds: 0 },
      { signal: controller.signal },
    );
    await waitFor("twenty queries", () => server.arrivedCount > 20);
    controller.abort();

    const result = await running;

    assert.equal(result.endedBy, "interrupt");
    assert.ok(result.answeredCount > 10 && result.answeredCount < 500);
    assert.ok(result.offeredQps! > 0 && result.offeredQps! < 200);
  });

  it("refuses a target that is down", async () => {
    const server = await startServer();
    await server.stop();

    await assert.rejects(run(server, { qps: 1, connectMs: 300 }), { code: "TARGET_UNAVAILABLE" });
  });

  it("refuses a target with another model", async () => {
    const server = await startServer({ modelName: "other" });

    await assert.rejects(run(server, { qps: 1 }), { code: "TARGET_UNAVAILABLE" });
  });

  it("refuses options that do not fit, all at once", async () => {
    await assert.rejects(
      runLatencyBench({ ...files, target: "x", seconds: -1, seed: 0.5 }),
      (error: ShardpoolError) => {
        assert.equal(error.code, "CONFIG_INVALID");
        assert.match(error.detail, /seconds.*seed/);
        return true;
      },
    );
    for (const wrong of [
      {},
      { qps: 1, schedule: "step:1x1s" },
      { schedule: "step:1x1s", seconds: 3 },
      { scenario: "offline", qps: 3 },
      { scenario: "single-stream", clients: 2 },
      { qps: 1, slo: ["p99<60ms", "p98<60ms"] },
    ] as const) {
      await assert.rejects(runLatencyBench({ ...files, target: "x", ...wrong }), {
        code: "CONFIG_INVALID",
      });
    }
  });
});

async function startServer(
  options: Partial<FakeInferenceServerOptions> = {},
): Promise<FakeInferenceServer> {
  const server = await FakeInferenceServer.start({
    modelName: "tiny",
    rowCount: ROW_COUNT,
    ...options,
  });
  after(() => server.stop());
  return server;
}

function run(
  server: FakeInferenceServer,
  options: Partial<LatencyOptionsInput>,
): ReturnType<typeof runLatencyBench> {
  return runLatencyBench({ ...files, target: server.address, warmupSeconds: 0, ...options });
}

/** Answers at once, but for one time in which nothing is answered. */
function stallOnce({ afterQueries, ms }: { afterQueries: number; ms: number }) {
  let stall: Promise<void> | undefined;
  return async (index: number): Promise<void> => {
    if (index === afterQueries) stall = wait(ms);
    await stall;
  };
}

function wait(ms: number): Promise<void> {
  const endAtMs = machineNowMs() + ms;
  return new Promise((resolve) => {
    const look = (): void => {
      const leftMs = endAtMs - machineNowMs();
      if (leftMs <= 0) resolve();
      else setTimeout(look, leftMs);
    };
    look();
  });
}
