import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { featureOffsets } from "../../../../lib/jagged-batch.js";
import { type LoadQuery, shuffleIds } from "../../../../tools/bench/load/load-query.js";

const queries: readonly LoadQuery[] = [
  {
    sampleCount: 2,
    dense: new Float32Array(0),
    bags: {
      featureCount: 2,
      sampleCount: 2,
      lengths: Int32Array.of(2, 1, 0, 3),
      values: Int32Array.of(1, 2, 3, 101, 102, 103),
    },
    labels: new Uint8Array(2),
  },
  {
    sampleCount: 1,
    dense: new Float32Array(0),
    bags: {
      featureCount: 2,
      sampleCount: 1,
      lengths: Int32Array.of(20, 20),
      values: Int32Array.from({ length: 40 }, (_, i) => (i < 20 ? 10 + i : 110 + i)),
    },
    labels: new Uint8Array(1),
  },
];

describe("shuffleIds()", () => {
  it("keeps bags' lengths and each feature's ids, in another order", () => {
    const shuffled = shuffleIds(queries, 1);

    assert.deepEqual(
      shuffled.map(({ bags }) => bags.lengths),
      queries.map(({ bags }) => bags.lengths),
    );
    for (const feature of [0, 1]) {
      assert.deepEqual(idsOf(shuffled, feature).toSorted(), idsOf(queries, feature).toSorted());
      assert.notDeepEqual(idsOf(shuffled, feature), idsOf(queries, feature));
    }
  });

  it("moves ids between queries", () => {
    const [first] = shuffleIds(queries, 1);

    assert.ok(idsOf([first!], 0).some((id) => id >= 10));
  });

  it("leaves the queries it was given as they are", () => {
    const before = structuredClone(queries);

    shuffleIds(queries, 1);

    assert.deepEqual(queries, before);
  });
});

function idsOf(from: readonly LoadQuery[], feature: number): number[] {
  return from.flatMap(({ bags }) => {
    const offsets = featureOffsets(bags);
    return [...bags.values.subarray(offsets[feature], offsets[feature + 1])];
  });
}
