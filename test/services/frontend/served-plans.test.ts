import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { assertServedRight, randomClusters } from "../../support/random-cluster.js";
import { tempFolder } from "../../support/temp-folder.js";

describe("a served model", () => {
  const folder = tempFolder();
  let runs = 0;

  it("answers as the oracle does, whatever the model, the plan and the query", async () => {
    const property = fc.asyncProperty(randomClusters, async (cluster) => {
      await assertServedRight(join(folder, String(runs++)), cluster);
    });
    await fc.assert(property, { numRuns: 6, seed: 1, endOnFailure: true });
  });
});
