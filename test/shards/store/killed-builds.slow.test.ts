import { describe, it } from "node:test";
import { checkKilledBuilds } from "../../support/kill-builds-case.js";
import { tempFolder } from "../../support/temp-folder.js";

describe("buildShardStore() killed", () => {
  it("leaves a whole store or none at 50 random points", async () => {
    await checkKilledBuilds(tempFolder(), 50);
  });
});
