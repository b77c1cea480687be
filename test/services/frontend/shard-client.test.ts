import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ShardpoolError } from "../../../lib/errors.js";
import { createLog } from "../../../lib/log.js";
import { ShardClient } from "../../../services/frontend/shard-client.js";
import type { ShardLink } from "../../../services/frontend/shard-connection.js";

describe("ShardClient", () => {
  it("waits twice as long after each failure, up to a second, and begins anew once connected", async () => {
    const shard = new FlakyShard();
    shard.client.connect();
    for (let i = 0; i < 8; i++) await shard.retry();
    assertSteps(shard.delaysMs, [50, 100, 200, 400, 800, 1000, 1000, 1000]);

    shard.isUp = true;
    await shard.retry();
    assert.equal(shard.client.isReady, true);
    shard.isUp = false;
    shard.lose();
    await settled();
    assert.equal(shard.client.isReady, false);
    for (let i = 0; i < 2; i++) await shard.retry();

    // The ninth delay led to the connection.
    assertSteps(shard.delaysMs.slice(9), [50, 100]);
    shard.client.close();
  });

  it("tries no more once it is closed", async () => {
    const shard = new FlakyShard();
    shard.client.connect();
    await settled();

    shard.client.close();

    assert.equal(shard.scheduled, undefined);
    await settled();
    assert.equal(shard.openCount, 1);
  });
});

/** A shard whose connection opens or not as the test says, and a timer that the test fires. */
class FlakyShard {
  isUp = false;
  openCount = 0;
  readonly delaysMs: number[] = [];
  scheduled: (() => void) | undefined;
  lose: () => void = () => {};
  readonly client = new ShardClient({
    ...{ shardId: "flaky", address: "127.0.0.1:1", modelHash: "", partitions: [] },
    ...{ messageBytesMax: 1, sampleCountMax: 1, lookupsInFlightMax: 1, seed: 1 },
    log: createLog("test", "silent"),
    onReadyChange: () => {},
    openLink: async () => this.#open(),
    schedule: (callback, delayMs) => {
      this.delaysMs.push(delayMs);
      this.scheduled = callback;
      return () => {
        this.scheduled = undefined;
      };
    },
  });

  /** Lets the wait for the next try be over. */
  async retry(): Promise<void> {
    await settled();
    this.scheduled!();
    await settled();
  }

  #open(): ShardLink {
    this.openCount++;
    if (!this.isUp) throw lost();
    return {
      partitionNumbers: new Map(),
      ended: new Promise((resolve) => {
        this.lose = () => resolve(lost());
      }),
      inFlightCount: 0,
      lookup: () => assert.fail("nothing is looked up"),
      close: () => this.lose(),
    };
  }
}

function lost(): ShardpoolError {
  return new ShardpoolError("SHARD_UNAVAILABLE", "gone");
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Each delay lies between the half and the whole of its step. */
function assertSteps(delaysMs: readonly number[], stepsMs: readonly number[]): void {
  for (const [i, stepMs] of stepsMs.entries()) {
    assert.ok(
      delaysMs[i]! >= stepMs / 2 && delaysMs[i]! <= stepMs,
      `${delaysMs[i]}, step ${stepMs}`,
    );
  }
}
