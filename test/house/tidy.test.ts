import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { PACKAGE_ROOT } from "../../lib/package-root.js";
import { sourceFiles } from "../support/source-files.js";

/** Rules of the house that the linter cannot hold. Each pattern matches a line that breaks one. */
const BANNED: readonly { readonly rule: string; readonly pattern: RegExp }[] = [
  // Biome does not see through node:assert's types.
  { rule: "await assert.rejects", pattern: /^\s*assert\.(rejects|doesNotReject)\(/m },
  {
    rule: "errors are known by code, not by text",
    pattern: /\.message\.(includes|match|startsWith)\(/,
  },
  { rule: "no unfinished work", pattern: /\bFIX(?=ME)|\bTODO(?!\(#\d+\):)/ },
  { rule: "no as any", pattern: /\bas any\b/ },
];

const LINE_COUNT_MAX = 500;

describe("tidy", () => {
  for (const { rule, pattern } of BANNED) {
    it(`holds: ${rule}`, () => {
      const broken = sourceFiles()
        .filter((file) => !file.endsWith("tidy.test.ts"))
        .filter((file) => pattern.test(readFileSync(join(PACKAGE_ROOT, file), "utf8")));

      assert.deepEqual(broken, []);
    });
  }

  it("keeps files to one concept's length", () => {
    const long = sourceFiles().filter(
      (file) => readFileSync(join(PACKAGE_ROOT, file), "utf8").split("\n").length > LINE_COUNT_MAX,
    );

    assert.deepEqual(long, []);
  });
});
