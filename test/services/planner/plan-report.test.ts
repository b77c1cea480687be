import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { makePlan } from "../../../services/planner/make-plan.js";
import { describePlan, maxOverMean } from "../../../services/planner/plan-report.js";
import { equalShards, planManifest } from "../../support/plan-cases.js";

const plan = makePlan({
  manifest: planManifest([
    { name: "busy", rowCount: 100, poolingFactors: [4, 2] },
    { name: "quiet", rowCount: 900, poolingFactors: [2] },
  ]),
  modelHash: "d".repeat(64),
  stats: null,
  shards: equalShards(2),
  memory: { kind: "fraction", fraction: 0.5 },
  strategy: "group",
  epoch: 3,
  querySamples: 10,
});

describe("describePlan()", () => {
  const report = describePlan(plan);

  it("gives each shard its share of row reads", () => {
    assert.deepEqual(
      report.shards.map(({ shard, rowsPerQuery, loadShare }) => [shard, rowsPerQuery, loadShare]),
      [
        ["shard-0", 60, 0.75],
        ["shard-1", 20, 0.25],
      ],
    );
  });

  it("compares the busiest shard with the mean", () => {
    assert.equal(report.imbalance.rowsPerQuery, 1.5);
    assert.equal(report.imbalance.rowBytes, 1.8);
  });

  it("names the shard and the tables that a query waits for", () => {
    const { shard, partitions } = report.criticalPath;

    const slowest = report.shards.toSorted((a, b) => b.costUs - a.costUs)[0];
    assert.equal(shard, slowest?.shard);
    assert.equal(partitions[0]?.table, shard === "shard-0" ? "busy" : "quiet");
  });

  it("lists every table, dearest first", () => {
    const costs = report.tables.map(({ costUs }) => costUs);

    assert.deepEqual(report.tables.map(({ table }) => table).toSorted(), ["busy", "quiet"]);
    assert.deepEqual(
      costs,
      costs.toSorted((a, b) => b - a),
    );
  });
});

describe("maxOverMean()", () => {
  it("is 1 for even values and for none at all", () => {
    assert.equal(maxOverMean([3, 3, 3]), 1);
    assert.equal(maxOverMean([0, 0]), 1);
  });
});
