import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { parseCoefficients } from "../../../services/planner/cost-model.js";
import { calibrate } from "../../../tools/plan/calibrate/run-calibration.js";
import { tempFolder } from "../../support/temp-folder.js";

const parentDir = tempFolder();

describe("plan calibrate", () => {
  it("measures a real shard and gives costs that plan make reads", async () => {
    const calibration = await calibrate({
      ...{ seconds: 1, seed: 1, rowCount: 2000, parentDir },
      signal: new AbortController().signal,
    });

    const { coefficients, shapes, misses } = calibration;
    assert.deepEqual(parseCoefficients({ ...coefficients }, "calibration"), coefficients);
    assert.ok(coefficients.messageUs > 0);
    assert.ok(coefficients.denseSampleUs > 0);
    assert.ok(shapes.every(({ cpuUs }) => cpuUs > 0));
    assert.ok(misses.every(({ blocksRead }) => blocksRead > 0));
    assert.deepEqual(readdirSync(parentDir), []);
  });

  it("stops when it is told to, and leaves nothing behind", async () => {
    const stop = new AbortController();
    const running = calibrate({
      seconds: 60,
      seed: 1,
      rowCount: 2000,
      parentDir,
      signal: stop.signal,
    });
    stop.abort();

    await assert.rejects(running, { code: "CALL_CANCELLED" });

    assert.deepEqual(readdirSync(parentDir), []);
  });
});
