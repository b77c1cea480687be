import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "../../../../lib/random.js";
import { constantRate, poissonArrivals } from "../../../../tools/bench/load/arrivals.js";
import { startSendPacer } from "../../../../tools/bench/load/send-pacer.js";
import { machineNowMs } from "../../../../tools/bench/load/shared-clock.js";

describe("startSendPacer()", () => {
  it("sends everything in order and nothing before its time", async () => {
    const dueMs = poissonArrivals(constantRate(2000, 0.3), new Random(1));
    const startAtMs = machineNowMs() + 20;
    const sent: { index: number; lagMs: number }[] = [];

    const pacer = startSendPacer({ dueMs, startAtMs }, (index) => {
      sent.push({ index, lagMs: machineNowMs() - startAtMs - dueMs[index]! });
    });
    await pacer.done;

    assert.deepEqual(
      sent.map(({ index }) => index),
      [...dueMs.keys()],
    );
    const early = sent.filter(({ lagMs }) => lagMs < 0);
    assert.deepEqual(early, []);
  });

  it("sends several at once when several are due", async () => {
    const sent: number[] = [];

    const pacer = startSendPacer(
      { dueMs: new Float64Array(50), startAtMs: machineNowMs() },
      (index) => sent.push(index),
    );
    await pacer.done;

    assert.equal(sent.length, 50);
  });

  it("stops in the middle of a schedule", async () => {
    const sent: number[] = [];
    const dueMs = Float64Array.from([0, 3_600_000]);

    const pacer = startSendPacer({ dueMs, startAtMs: machineNowMs() }, (index) => {
      sent.push(index);
      pacer.stop();
    });
    await pacer.done;

    assert.deepEqual(sent, [0]);
  });

  it("ends at once on an empty schedule", async () => {
    const pacer = startSendPacer({ dueMs: new Float64Array(0), startAtMs: 0 }, () => assert.fail());

    await pacer.done;
  });
});
