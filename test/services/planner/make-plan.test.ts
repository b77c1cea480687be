import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ShardpoolError } from "../../../lib/errors.js";
import { assertPlanFitsModel, parsePlan, type ShardingPlan } from "../../../lib/plan/plan.js";
import { createLinearSolver } from "../../../services/planner/linear-solver.js";
import { makePlan, type PlanRequest } from "../../../services/planner/make-plan.js";
import { arbitraryPlanRequest } from "../../support/arbitrary-plan-request.js";
import { equalShards, planManifest, planStats } from "../../support/plan-cases.js";

/** The plan, or nothing where the shards are too small for it. */
function planOrMisfit(request: PlanRequest): ShardingPlan | undefined {
  try {
    return makePlan(request);
  } catch (error) {
    if (error instanceof ShardpoolError && error.code === "PLAN_DOES_NOT_FIT") return undefined;
    throw error;
  }
}

describe("makePlan()", () => {
  it("holds every row and column once, in a form that reads back", () => {
    fc.assert(
      fc.property(arbitraryPlanRequest, (request) => {
        const plan = planOrMisfit(request);
        if (plan === undefined) return;

        assert.deepEqual(parsePlan(JSON.parse(JSON.stringify(plan))), plan);
        assertPlanFitsModel(plan, request.manifest, request.modelHash);
      }),
      { numRuns: 60 },
    );
  });

  it("keeps every shard within its disk and memory", () => {
    fc.assert(
      fc.property(arbitraryPlanRequest, (request) => {
        const plan = planOrMisfit(request);
        if (plan === undefined) return;

        for (const spec of plan.shards) {
          const asked = request.shards.find((shard) => shard.id === spec.id);
          const held = plan.partitions.filter((partition) => partition.shards.includes(spec.id));
          const rowBytes = held.reduce((sum, { estimate }) => sum + (estimate?.rowBytes ?? 0), 0);
          const memory = held.reduce(
            (sum, { cacheBytes, rowStart, rowEnd }) =>
              sum + cacheBytes * 1.15 + (rowEnd - rowStart) * 0.5,
            0,
          );
          assert.ok(rowBytes <= (asked?.diskBytesMax ?? 0));
          assert.ok(memory <= spec.memoryBytesMax + 1, `${memory} of ${spec.memoryBytesMax}`);
          if (request.memory.kind === "given") assert.deepEqual(spec, asked);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("respects constraints, and the number of copies allowed", () => {
    fc.assert(
      fc.property(arbitraryPlanRequest, (request) => {
        const plan = planOrMisfit(request);
        const { constraints, replicasMax = 1 } = request;
        if (plan === undefined || constraints === undefined) return;

        const partsOf = (table: string): ShardingPlan["partitions"][number][] =>
          plan.partitions.filter((partition) => partition.table === table);
        for (const [table, shard] of Object.entries(constraints.pin)) {
          assert.deepEqual(
            partsOf(table).map(({ shards }) => shards),
            [[shard]],
          );
        }
        for (const table of constraints.whole) assert.equal(partsOf(table).length, 1);
        for (const tables of constraints.together) {
          const holders = tables.flatMap(partsOf).map(({ shards }) => shards.join(" "));
          assert.equal(holders.length, tables.length);
          assert.equal(new Set(holders).size, 1, holders.join(", "));
        }
        for (const { shards } of plan.partitions) assert.ok(shards.length <= replicasMax);
      }),
      { numRuns: 80 },
    );
  });

  it("estimates each shard at the sum of what it holds", () => {
    fc.assert(
      fc.property(arbitraryPlanRequest, (request) => {
        const plan = planOrMisfit(request);
        if (plan === undefined) return;

        for (const { shard, costUs, costParts } of plan.estimate) {
          const weight = plan.shards.find(({ id }) => id === shard)?.weight ?? 1;
          const held = plan.partitions
            .filter(({ shards }) => shards.includes(shard))
            .reduce((sum, part) => sum + (part.estimate?.costUs ?? 0) / part.shards.length, 0);
          const messageUs = costParts?.messageUs ?? 0;
          assert.ok(Math.abs(messageUs + held / weight - costUs) < 1e-6 * costUs);
          const parts = Object.values(costParts ?? {}).reduce((sum, us) => sum + us, 0);
          assert.ok(Math.abs(parts - costUs) < 1e-6 * costUs);
        }
      }),
      { numRuns: 50 },
    );
  });

  it("never comes below the bound that it states, whatever the strategy", async () => {
    const solver = await createLinearSolver();
    fc.assert(
      fc.property(arbitraryPlanRequest, fc.boolean(), (request, hasSolver) => {
        const plan = planOrMisfit(hasSolver ? { ...request, solver } : request);
        if (plan === undefined) return;

        const { slowestUs = 0, boundUs = 0 } = plan.quality ?? {};
        assert.ok(slowestUs > 0 && slowestUs >= boundUs * (1 - 1e-8), `${slowestUs} ${boundUs}`);
        assert.equal(slowestUs, Math.max(...plan.estimate.map(({ costUs }) => costUs)));
      }),
      { numRuns: 100 },
    );
  });

  it("gives the same plan in whatever order tables, features and shards come", () => {
    fc.assert(
      fc.property(arbitraryPlanRequest, (request) => {
        const { manifest, shards } = request;
        const reversed = {
          ...request,
          manifest: {
            ...manifest,
            tables: manifest.tables.toReversed(),
            features: manifest.features.toReversed(),
          },
          shards: shards.toReversed(),
        };

        assert.deepEqual(planOrMisfit(reversed), planOrMisfit(request));
      }),
    );
  });

  it("refuses statistics of rows that a table does not have", () => {
    const manifest = planManifest([{ name: "t", rowCount: 3 }]);
    const stats = planStats(manifest, { t: [0, 0, 0, 5] });

    assert.throws(() => makePlan(requestFor(manifest, stats)), { code: "STATS_INVALID" });
  });

  it("counts rows by the statistics, not by the model's pooling factors", () => {
    const manifest = planManifest([{ name: "t", rowCount: 3, poolingFactors: [7] }]);
    const asked = planManifest([{ name: "t", rowCount: 3, poolingFactors: [2] }]);
    const stats = planStats(manifest, { t: [5] });

    const plan = makePlan(requestFor(asked, stats));

    assert.equal(plan.estimate[0]?.rowsPerQuery, 700);
  });

  it("leaves out shards that would hold nothing", () => {
    const plan = makePlan(requestFor(planManifest([{ name: "t", rowCount: 1 }]), null, 3));

    assert.deepEqual(
      plan.shards.map((shard) => shard.id),
      ["shard-0"],
    );
  });
});

describe("makePlan() without room", () => {
  it("names numbers that do make it fit, and no smaller ones", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 50, max: 3000 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 4 }),
        (rowCounts, shardCount) => {
          const manifest = planManifest(
            rowCounts.map((rowCount, i) => ({ name: `t${i}`, rowCount })),
          );
          const request = (count: number, diskBytesMax: number): PlanRequest => ({
            ...requestFor(manifest, null),
            strategy: "capacity",
            shards: equalShards(count, { diskBytesMax }),
          });
          const disk = 20_000;
          const message = misfitOf(request(shardCount, disk));
          if (message === undefined) return;

          const shardsEnough = Number(/with (\d+) shards/.exec(message)?.[1]);
          const diskEnough = Number(/with (\d+) bytes of disk a shard/.exec(message)?.[1]);
          assert.equal(misfitOf(request(shardsEnough, disk)), undefined);
          assert.notEqual(misfitOf(request(shardsEnough - 1, disk)), undefined);
          assert.equal(misfitOf(request(shardCount, diskEnough)), undefined);
          const rowBytes = rowCounts.reduce((sum, rows) => sum + rows * 64, 0);
          assert.ok(diskEnough * shardCount >= rowBytes);
          const missing = rowBytes - shardCount * disk;
          // Disks may be large enough together and yet each too small for a whole share of rows.
          if (missing > 0) assert.match(message, new RegExp(`: ${missing} are missing`));
          else assert.doesNotMatch(message, /are missing/);
        },
      ),
      { numRuns: 30 },
    );
  });
});

function requestFor(
  manifest: PlanRequest["manifest"],
  stats: PlanRequest["stats"],
  shardCount = 1,
): PlanRequest {
  return {
    manifest,
    modelHash: "c".repeat(64),
    stats,
    shards: equalShards(shardCount),
    memory: { kind: "fraction", fraction: 1 },
    strategy: "load",
    epoch: 1,
  };
}

function misfitOf(request: PlanRequest): string | undefined {
  try {
    makePlan(request);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof ShardpoolError && error.code === "PLAN_DOES_NOT_FIT", `${error}`);
    return error.detail;
  }
}
