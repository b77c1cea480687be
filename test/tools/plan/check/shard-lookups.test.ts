import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PlanPartition, ShardingPlan } from "../../../../lib/plan/plan.js";
import { heldForQuery, shardLookupOf } from "../../../../tools/plan/check/shard-lookups.js";
import { testManifest } from "../../../support/click-models.js";

const manifest = testManifest([{ rowCount: 10 }, { rowCount: 10 }]);

function partition(id: string, table: string, rowStart: number, rowEnd: number): PlanPartition {
  return { id, table, rowStart, rowEnd, shards: ["s0", "s1"] } as unknown as PlanPartition;
}

const ints = (bytes: Uint8Array) => [...new Uint32Array(bytes.buffer)];

describe("shardLookupOf()", () => {
  it("sends each partition the row ids that lie in it, counted from its first row", () => {
    const lookup = shardLookupOf(
      manifest,
      [
        { partition: partition("p", "t0", 4, 10), number: 7 },
        { partition: partition("q", "t1", 0, 10), number: 3 },
      ],
      {
        ...{ featureCount: 2, sampleCount: 2 },
        lengths: Int32Array.of(3, 1, 0, 2),
        values: Int32Array.of(9, 1, 4, 3, 8, 8),
      },
    );

    assert.equal(lookup.sampleCount, 2);
    assert.deepEqual(
      lookup.segments.map(({ partition: number, lengths, values }) => [
        number,
        ints(lengths),
        ints(values),
      ]),
      [
        [7, [2, 0], [5, 0]],
        [3, [0, 2], [8, 8]],
      ],
    );
  });

  it("lets replicas take turns", () => {
    const plan = { partitions: [partition("p", "t0", 0, 10)] } as unknown as ShardingPlan;
    const numbers = new Map([["p", 0]]);

    assert.equal(heldForQuery(plan, "s0", numbers, 4).length, 1);
    assert.equal(heldForQuery(plan, "s0", numbers, 5).length, 0);
    assert.equal(heldForQuery(plan, "s1", numbers, 5).length, 1);
  });
});
