import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { makePlan } from "../../../services/planner/make-plan.js";
import { equalShards, planManifest, planStats } from "../../support/plan-cases.js";

const ROWS = 50;

/** Kept whole, so that only exchanges even out; costs go by pooling factors. */
function slowestOverMean(poolingFactors: readonly number[], shardCount: number): number {
  const tables = poolingFactors.map((poolingFactor, i) => ({
    name: `t${i}`,
    ...{ rowCount: ROWS, poolingFactors: [poolingFactor] },
  }));
  const manifest = planManifest(tables);
  const names = tables.map(({ name }) => name);
  const plan = makePlan({
    ...{ manifest, modelHash: "a".repeat(64), shards: equalShards(shardCount), epoch: 1 },
    stats: planStats(
      manifest,
      Object.fromEntries(names.map((name) => [name, new Array(ROWS).fill(3)])),
    ),
    ...{ memory: { kind: "fraction", fraction: 1 }, strategy: "cost", querySamples: 1000 },
    constraints: { pin: {}, whole: names, together: [] },
  });
  const costs = plan.estimate.map(({ costUs }) => costUs);
  const rows = plan.estimate.map(({ rowsPerQuery }) => rowsPerQuery);
  assert.ok(costs.every((us) => us > 0));
  return Math.max(...rows) / (rows.reduce((sum, value) => sum + value, 0) / rows.length);
}

describe("bestExchange(), in the search of strategy cost", () => {
  it("exchanges two units for two where no move and no swap makes shards equal", () => {
    // 34 + 21 + 5 = 30 + 20 + 10 is the one way to split these evenly, three a side.
    assert.equal(slowestOverMean([34, 30, 21, 20, 10, 5], 2), 1);
  });
});
