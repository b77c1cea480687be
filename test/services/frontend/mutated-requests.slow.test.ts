import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { assertServersSurvive } from "../../support/mutated-load.js";
import { DecodePath, mutatedBodies, mutatedMessages } from "../../support/mutated-requests.js";
import { writePolicyModel } from "../../support/policy-model.js";
import { tempFolder } from "../../support/temp-folder.js";

const ROUNDS = 10;
const RUNS_A_ROUND = 5000;
/** What the engine's own caches may still grow by once they are warm. */
const GROWTH_BYTES_MAX = 4 * 1024 * 1024;

describe("100,000 mutated requests", () => {
  const folder = tempFolder();

  it("crash nothing and leave nothing behind", async () => {
    const model = await writePolicyModel(folder);
    const golden = await model.readGolden();
    const path = new DecodePath(model.manifest);
    const heapBytes: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      fc.assert(
        fc.property(mutatedMessages(golden), mutatedBodies(golden), (message, body) => {
          path.takeMessage(message);
          path.takeBody(body);
        }),
        { numRuns: RUNS_A_ROUND, seed: round },
      );
      heapBytes.push(heapAfterCollection());
    }

    const growth = heapBytes.at(-1)! - heapBytes[1]!;
    assert.ok(growth < GROWTH_BYTES_MAX, `heap by round: ${heapBytes.join(", ")} bytes`);
  });

  it("leave servers that answer their golden requests", async () => {
    const model = await writePolicyModel(`${folder}/wire`);
    await assertServersSurvive(`${folder}/wire`, model, { messages: 6000, bodies: 3000, seed: 4 });
  });
});

function heapAfterCollection(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
