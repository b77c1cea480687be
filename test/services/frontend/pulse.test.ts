import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Pulse } from "../../../services/frontend/pulse.js";
import { waitFor } from "../../support/wait-for.js";

describe("Pulse", () => {
  it("says once that a peer is silent, after as many pings as it has patience for", async () => {
    let pings = 0;
    const silences: number[] = [];
    new Pulse({
      ...{ intervalMs: 1, silentMax: 3, ping: () => pings++ },
      onSilence: (silentMs) => silences.push(silentMs),
    });

    await waitFor("silence", () => silences.length > 0);
    await new Promise((resolve) => setImmediate(resolve));

    assert.deepEqual(silences, [3]);
    assert.equal(pings, 3);
  });

  it("does not take a stall of its own process for the peer's silence", async () => {
    let isSilent = false;
    let pings = 0;
    const pulse = new Pulse({
      ...{ intervalMs: 5, silentMax: 2, ping: () => pings++ },
      onSilence: () => {
        isSilent = true;
      },
    });
    // Twenty intervals in which the loop turns for nobody: neither ticks nor answers.
    const endMs = performance.now() + 100;
    while (performance.now() < endMs);

    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    pulse.stop();

    assert.equal(isSilent, false);
    assert.ok(pings <= 1);
  });

  it("lives on signs of life", async () => {
    let pings = 0;
    const pulse: Pulse = new Pulse({
      ...{ intervalMs: 1, silentMax: 2, onSilence: () => assert.fail("silent") },
      ping: () => {
        pings++;
        pulse.beat();
      },
    });

    await waitFor("ten pings", () => pings >= 10);
    pulse.stop();
  });
});
