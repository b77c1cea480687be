import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import fc from "fast-check";
import {
  type PlacementProgram,
  solvePlacement,
} from "../../../services/planner/exact/placement-program.js";
import {
  createLinearSolver,
  type LinearSolver,
  MIP_GAP,
} from "../../../services/planner/linear-solver.js";
import { makePlan, type PlanRequest } from "../../../services/planner/make-plan.js";
import { equalShards, planManifest } from "../../support/plan-cases.js";

/** The best slowest shard by trying every placement. */
function bestByTrying({ items, specs, messageUs }: PlacementProgram): number {
  let best = Number.POSITIVE_INFINITY;
  for (let code = 0; code < specs.length ** items.length; code++) {
    const us = specs.map(() => 0);
    const bytes = specs.map(() => 0);
    let rest = code;
    for (const item of items) {
      const s = rest % specs.length;
      rest = Math.floor(rest / specs.length);
      us[s] = (us[s] ?? 0) + item.us;
      bytes[s] = (bytes[s] ?? 0) + item.bytes;
      if (item.pinnedTo !== undefined && item.pinnedTo !== specs[s]?.id) us[s] = Number.NaN;
    }
    const costs = specs.map((spec, s) => {
      if ((bytes[s] ?? 0) > spec.diskBytesMax) return Number.POSITIVE_INFINITY;
      return us[s] === 0 ? 0 : ((us[s] ?? 0) + messageUs) / spec.weight;
    });
    const slowest = Math.max(...costs);
    if (slowest < best) best = slowest;
  }
  return best;
}

describe("solvePlacement()", () => {
  let solver: LinearSolver;
  before(async () => {
    solver = await createLinearSolver();
  });

  it("finds what trying every placement finds", () => {
    const item = fc.record({
      us: fc.integer({ min: 1, max: 300 }),
      bytes: fc.integer({ min: 1, max: 100 }),
      pinnedTo: fc.constantFrom(undefined, undefined, undefined, "shard-0", "shard-1"),
    });
    const shard = fc.record({
      weight: fc.constantFrom(1, 1, 2),
      diskBytesMax: fc.constantFrom(150, 1000, Number.MAX_SAFE_INTEGER),
    });
    fc.assert(
      fc.property(
        fc.array(item, { minLength: 1, maxLength: 6 }),
        fc.array(shard, { minLength: 2, maxLength: 3 }),
        (items, shards) => {
          const specs = shards.map((spec, i) => ({ ...equalShards(i + 1)[i]!, ...spec }));
          const program = { items, specs, messageUs: 15, looseUs: 0 };

          const solved = solvePlacement(program, solver);
          const best = bestByTrying(program);

          if (!Number.isFinite(best)) assert.equal(solved, undefined);
          else {
            const found = solved?.slowestUs ?? Number.NaN;
            assert.ok(
              found >= best * (1 - 1e-6) && found <= best * (1 + 2 * MIP_GAP),
              `${found} ${best}`,
            );
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it("proves what neither the mean nor the largest piece does", () => {
    const manifest = planManifest(
      ["a", "b", "c"].map((name) => ({ name, rowCount: 50, poolingFactors: [60] })),
    );
    const request: PlanRequest = {
      manifest,
      modelHash: "f".repeat(64),
      stats: null,
      shards: equalShards(2),
      memory: { kind: "fraction", fraction: 1 },
      strategy: "cost",
      epoch: 1,
      constraints: { pin: {}, whole: ["a", "b", "c"], together: [] },
    };

    const without = makePlan(request).quality;
    const proved = makePlan({ ...request, solver }).quality;

    assert.equal(proved?.slowestUs, without?.slowestUs);
    assert.equal(proved?.boundBy, "mixed-integer program");
    // Three equal tables on two shards: one of them has two, though the mean is one and a half.
    assert.ok((without?.boundUs ?? 0) < (proved?.slowestUs ?? 0) * 0.9);
    assert.ok((proved?.boundUs ?? 0) > (proved?.slowestUs ?? 0) * 0.998);
  });
});
