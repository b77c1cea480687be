import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { chooseReuseCounts } from "../../../tools/clicks/reuse-counts.js";
import type { TableReads } from "../../../tools/clicks/reuse-fit.js";
import { REUSE_PROFILES, reuseTargetOf } from "../../../tools/clicks/reuse-targets.js";
import { MLPERF_TABLES } from "../../support/click-models.js";

function readsAt(sampleCount: number, scale: number): TableReads[] {
  return MLPERF_TABLES.map(({ rowCount, poolingFactor }, i) => ({
    table: `t${i}`,
    rowCount: Math.max(Math.min(rowCount, 3), Math.round(rowCount * scale)),
    readCount: sampleCount * poolingFactor,
  }));
}

describe("chooseReuseCounts()", () => {
  for (const profile of REUSE_PROFILES) {
    for (const sampleCount of [2000, 40_000]) {
      it(`comes within two points of ${profile} with ${sampleCount} samples`, () => {
        const target = reuseTargetOf(profile);

        const chosen = chooseReuseCounts(readsAt(sampleCount, 0.0098), target);

        assert.ok(chosen.deviation < 0.02, `${chosen.deviation}`);
        assert.ok(Math.abs(chosen.achieved.meanReuse / target.meanReuse - 1) < 0.01);
      });
    }
  }

  it("gives each table its reads, over no more rows than it has", () => {
    const table = fc.record({
      rowCount: fc.integer({ min: 1, max: 5000 }),
      readCount: fc.integer({ min: 1, max: 30_000 }),
    });
    fc.assert(
      fc.property(fc.array(table, { minLength: 1, maxLength: 6 }), (tables) => {
        const reads = tables.map((entry, i) => ({ ...entry, table: `t${i}` }));

        const { countsByTable } = chooseReuseCounts(reads, reuseTargetOf("meta-2021"));

        for (const { table: name, rowCount, readCount } of reads) {
          const counts = countsByTable.get(name)!;
          assert.ok(counts.length <= rowCount);
          assert.ok(counts.every((count) => count >= 1));
          assert.equal(
            counts.reduce((sum, count) => sum + count, 0),
            readCount,
          );
        }
      }),
      { numRuns: 60 },
    );
  });

  it("leaves out tables that are not read", () => {
    const reads = [...readsAt(2000, 0.0098), { table: "idle", rowCount: 5, readCount: 0 }];

    const { countsByTable } = chooseReuseCounts(reads, reuseTargetOf("meta-2021"));

    assert.equal(countsByTable.has("idle"), false);
  });
});
