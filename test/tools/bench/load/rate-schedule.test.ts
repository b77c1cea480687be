import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "../../../../lib/random.js";
import { poissonArrivals } from "../../../../tools/bench/load/arrivals.js";
import {
  parseSchedule,
  rateAt,
  scheduleSeconds,
} from "../../../../tools/bench/load/rate-schedule.js";

describe("parseSchedule()", () => {
  it("reads steps", () => {
    assert.deepEqual(parseSchedule("step:10x5s, 40x2.5s"), [
      { seconds: 5, qpsStart: 10, qpsEnd: 10 },
      { seconds: 2.5, qpsStart: 40, qpsEnd: 40 },
    ]);
  });

  it("reads ramps up and down", () => {
    assert.deepEqual(parseSchedule("ramp:10-200x60s,200-0x30s"), [
      { seconds: 60, qpsStart: 10, qpsEnd: 200 },
      { seconds: 30, qpsStart: 200, qpsEnd: 0 },
    ]);
  });

  it("reads a day: the night's rate at both ends, noon's in the middle, their mean overall", () => {
    const day = parseSchedule("day:20-100x48s");

    assert.ok(Math.abs(scheduleSeconds(day) - 48) < 1e-9);
    assert.ok(Math.abs(rateAt(day, 0) - 20) < 1e-9);
    assert.ok(Math.abs(rateAt(day, 24) - 100) < 1e-9);
    assert.ok(Math.abs(rateAt(day, 12) - 60) < 1e-9);
    assert.ok(Math.abs(rateAt(day, 48) - 20) < 1e-9);
    assert.equal(poissonArrivals(day, new Random(1)).length, 48 * 60);
  });

  it("refuses what it cannot read, and shows what it can", () => {
    for (const text of [
      "step:10",
      "steps:10x5s",
      "step:10x5",
      "ramp:10x5s",
      "step:10x0s",
      "step:0x5s",
      "step:-1x5s",
      "day:1.2.3-4x5s",
      "",
    ]) {
      assert.throws(() => parseSchedule(text), {
        code: "CONFIG_INVALID",
        message: /step:10x5s,40x5s/,
      });
    }
  });
});
