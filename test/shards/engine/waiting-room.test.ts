import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { WaitingRoom } from "../../../shards/engine/waiting-room.js";

describe("WaitingRoom", () => {
  it("never lends more than there is, and always an equal share of half of it", async () => {
    const setups = fc.record({
      insideMax: fc.integer({ min: 1, max: 40 }),
      bytesMax: fc.integer({ min: 0, max: 100_000 }),
      // Above 0 somebody enters, else whoever is inside longest leaves.
      steps: fc.array(fc.integer({ min: -2, max: 3 }), { maxLength: 200 }),
    });
    await fc.assert(
      fc.asyncProperty(setups, async ({ insideMax, bytesMax, steps }) => {
        const room = new WaitingRoom(insideMax, 1000, bytesMax);
        const entered: (number | Promise<number>)[] = [];
        const inside: number[] = [];
        for (const step of steps) {
          if (step > 0) entered.push(room.enter());
          else if (inside.length > 0) room.leave(inside.shift()!);
          while (inside.length < insideMax && entered.length > 0) {
            inside.push(await entered.shift()!);
          }
          const lent = inside.reduce((sum, share) => sum + share, 0);
          assert.ok(lent <= bytesMax);
          for (const share of inside) assert.ok(share >= Math.floor(bytesMax / (2 * insideMax)));
        }
      }),
      { numRuns: 100 },
    );
  });

  it("lends one that is alone a quarter and more, and all of it again when it has left", () => {
    const room = new WaitingRoom(4, 0, 8000);
    const share = room.nextShare;
    assert.equal(share, 3000);
    assert.equal(room.enter(), share);
    assert.ok(room.nextShare < share);
    room.leave(share);
    assert.equal(room.nextShare, share);
  });

  it("hands a place on in the order of the queue, and refuses past its bound", async () => {
    const room = new WaitingRoom(1, 2, 1000);
    const first = room.enter();
    const entered: string[] = [];
    const second = Promise.resolve(room.enter()).then((share) => {
      entered.push("second");
      return share;
    });
    const third = Promise.resolve(room.enter()).then(() => entered.push("third"));
    assert.throws(() => room.enter(), { code: "SERVER_OVERLOADED", message: /the limit is 2/ });

    assert.equal(typeof first, "number");
    room.leave(first as number);
    assert.equal(room.hasRoom, false);
    room.leave(await second);
    await third;
    assert.deepEqual(entered, ["second", "third"]);
  });
});
