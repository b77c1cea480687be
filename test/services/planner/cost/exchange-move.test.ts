import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "../../../../lib/random.js";
import type { CostUnit } from "../../../../services/planner/cost/cost-units.js";
import { bestExchange } from "../../../../services/planner/cost/exchange-move.js";
import type { Pricing } from "../../../../services/planner/cost/price-grid.js";
import { ShardSums } from "../../../../services/planner/cost/shard-sums.js";
import { DEFAULT_COEFFICIENTS } from "../../../../services/planner/cost-model.js";
import { equalShards } from "../../../support/plan-cases.js";

const NOTHING = Float64Array.of(0);
const pricing: Pricing = {
  ...{ priceCount: 1, usualPrice: 0, usualAlong: 0, isPooled: true },
  pricedCurveOf: () => ({ cacheBytesAt: NOTHING, blocksAt: NOTHING }),
};
const source = { usOf: (unit: CostUnit) => unit.memoryUs };

/** All in memory, so that costs add up. */
function unitOf(key: string, memoryUs: number, pinnedTo?: string): CostUnit {
  return {
    ...{ key, memoryUs, pinnedTo, bytes: 1, rowCount: 1, leastCacheBytes: 1 },
    ...{ cacheBytesAt: NOTHING, blocksAt: NOTHING, parts: [], drafts: [] },
    ...{ canSplit: false, queryShare: 1 },
  };
}

function shardsOf(costs: readonly (readonly number[])[]): ShardSums[] {
  const specs = equalShards(costs.length);
  return costs.map((own, s) => {
    const shard = new ShardSums(specs[s]!, s, DEFAULT_COEFFICIENTS, pricing);
    for (const [i, us] of own.entries()) shard.add(unitOf(`u${s}-${i}`, us));
    return shard;
  });
}

/** The slowest of two shards after the best exchange of up to two units for up to two. */
function bestOfAll(mine: readonly number[], theirs: readonly number[]): number {
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const bundles = (values: readonly number[]): number[] => [
    0,
    ...values,
    ...values.flatMap((a, i) => values.slice(i + 1).map((b) => a + b)),
  ];
  const slowest = bundles(mine).flatMap((given) =>
    bundles(theirs).map((taken) =>
      Math.max(sum(mine) - given + taken, sum(theirs) - taken + given),
    ),
  );
  return Math.min(...slowest) + DEFAULT_COEFFICIENTS.messageUs;
}

describe("bestExchange()", () => {
  it("finds the best exchange of two for two that there is", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = new Random(seed, "exchange");
      const draw = (count: number, least: number): number[] =>
        Array.from({ length: count }, () => least + random.nextFloat() * 100);
      const costs = [draw(6, 50), draw(7, 0)];
      const [slowest, target] = shardsOf(costs) as [ShardSums, ShardSums];

      const move = bestExchange(slowest, [target], source, slowest.costUs);

      const expected = bestOfAll(costs[0]!, costs[1]!);
      assert.ok(Math.abs(move!.slowestUs - expected) < 1e-9, `seed ${seed}: ${expected}`);
    }
  });

  it("moves no unit that is pinned elsewhere", () => {
    const [slowest, target] = shardsOf([[10], [1]]) as [ShardSums, ShardSums];
    slowest.add(unitOf("pinned", 5, slowest.spec.id));

    const move = bestExchange(slowest, [target], source, slowest.costUs);

    assert.ok(move!.changes[0]!.removed.every(({ key }) => key !== "pinned"));
    assert.equal(move!.slowestUs, 10 + DEFAULT_COEFFICIENTS.messageUs);
  });
});
