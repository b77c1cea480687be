import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { COMMANDS } from "../../../tools/cli/commands.js";

describe("the verbs of the command line", () => {
  for (const { name, description, load } of COMMANDS) {
    it(`${name} says of itself what help says of it`, async () => {
      const command = await load();
      assert.equal(command.name(), name);
      assert.equal(command.description(), description);
    });
  }
});
