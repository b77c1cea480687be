import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import fc from "fast-check";
import type { GoldenRequests } from "../../../lib/model/golden.js";
import type { Model } from "../../../lib/model/model-directory.js";
import { assertServersSurvive } from "../../support/mutated-load.js";
import { DecodePath, mutatedBodies, mutatedMessages } from "../../support/mutated-requests.js";
import { writePolicyModel } from "../../support/policy-model.js";
import { tempFolder } from "../../support/temp-folder.js";

describe("mutated requests", () => {
  const folder = tempFolder();
  let model: Model;
  let golden: GoldenRequests;

  before(async () => {
    model = await writePolicyModel(folder);
    golden = await model.readGolden();
  });

  it("are answered or refused by a code, never by a crash", () => {
    const path = new DecodePath(model.manifest);
    const taken = { messages: 0, bodies: 0 };
    fc.assert(
      fc.property(mutatedMessages(golden), mutatedBodies(golden), (message, body) => {
        if (path.takeMessage(message)) taken.messages++;
        if (path.takeBody(body)) taken.bodies++;
      }),
      { numRuns: 1500, seed: 1 },
    );

    // A mutator that breaks everything, or nothing, would show nothing.
    assert.ok(taken.messages > 50 && taken.messages < 1000, `${taken.messages} messages`);
    assert.ok(taken.bodies > 50 && taken.bodies < 1000, `${taken.bodies} bodies`);
  });

  it("leave servers of both protocols that answer their golden requests", async () => {
    await assertServersSurvive(folder, model, { messages: 700, bodies: 300, seed: 2 });
  });
});
