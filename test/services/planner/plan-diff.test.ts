import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ShardingPlan } from "../../../lib/plan/plan.js";
import { makePlan } from "../../../services/planner/make-plan.js";
import { diffPlans } from "../../../services/planner/plan-diff.js";
import type { Strategy } from "../../../services/planner/strategy.js";
import { equalShards, planManifest } from "../../support/plan-cases.js";

const manifest = planManifest([
  { name: "a", rowCount: 1000, poolingFactors: [5] },
  { name: "b", rowCount: 3000, poolingFactors: [1] },
]);

function planOn(shardCount: number, strategy: Strategy, modelHash = "e".repeat(64)): ShardingPlan {
  return makePlan({
    manifest,
    modelHash,
    stats: null,
    shards: equalShards(shardCount),
    memory: { kind: "fraction", fraction: 1 },
    strategy,
    epoch: 1,
  });
}

describe("diffPlans()", () => {
  it("moves nothing between a plan and itself", () => {
    const diff = diffPlans(planOn(2, "capacity"), planOn(2, "capacity"));

    assert.equal(diff.bytesMoved, 0);
    assert.equal(diff.bytesKept, 4000 * 64);
    assert.equal(diff.partitionsKept, diff.to.partitionCount);
    assert.deepEqual(diff.tables, []);
  });

  it("counts what a shard does not have yet, row by row", () => {
    const diff = diffPlans(planOn(1, "one-shard"), planOn(2, "capacity"));

    const [first, second] = diff.shards;
    assert.equal(diff.bytesMoved, second?.bytesIn);
    assert.equal(first?.bytesIn, 0);
    assert.equal(first?.bytesOut, second?.bytesIn);
    assert.equal(diff.bytesMoved, 1500 * 64);
    assert.equal(second?.costUsBefore, null);
  });

  it("is the same both ways, with in and out changed", () => {
    const there = diffPlans(planOn(2, "load"), planOn(3, "capacity"));
    const back = diffPlans(planOn(3, "capacity"), planOn(2, "load"));

    assert.deepEqual(
      there.shards.map(({ bytesIn, bytesOut }) => [bytesIn, bytesOut]),
      back.shards.map(({ bytesIn, bytesOut }) => [bytesOut, bytesIn]),
    );
  });

  it("refuses plans of different models", () => {
    assert.throws(() => diffPlans(planOn(1, "load"), planOn(1, "load", "f".repeat(64))), {
      code: "PLAN_MISMATCH",
    });
  });
});
