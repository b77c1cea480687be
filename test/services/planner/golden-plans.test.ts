import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { ShardpoolError } from "../../../lib/errors.js";
import { PACKAGE_ROOT } from "../../../lib/package-root.js";
import { makePlan } from "../../../services/planner/make-plan.js";
import { parsePlanCase, planText } from "../../support/plan-case-text.js";

const FOLDER = join(PACKAGE_ROOT, "test/golden/plans");
const DIVIDER = "\n---\n";
const { UPDATE_GOLDEN } = process.env;

// Each file holds a request, a line of dashes and what comes of it. UPDATE_GOLDEN=1 writes the
// second part anew; the difference is for a person to judge.
describe("makePlan() on the cases of test/golden/plans", () => {
  for (const file of readdirSync(FOLDER)) {
    it(`plans ${file.replace(/\.txt$/, "")}`, () => {
      const path = join(FOLDER, file);
      const [request = "", expected] = readFileSync(path, "utf8").split(DIVIDER);

      const outcome = outcomeOf(request);

      if (UPDATE_GOLDEN === "1") {
        writeFileSync(path, `${request.trimEnd()}${DIVIDER}${outcome}`);
      } else {
        assert.equal(outcome, expected);
      }
    });
  }
});

function outcomeOf(request: string): string {
  try {
    return planText(makePlan(parsePlanCase(request)));
  } catch (error) {
    if (error instanceof ShardpoolError) return `${error.message}\n`;
    throw error;
  }
}
