import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AccessProfile } from "../../../services/planner/access-profile.js";
import { planManifest, planStats } from "../../support/plan-cases.js";

function profileOf(rowCount: number, counts: readonly number[], tailReads = 0): AccessProfile {
  const manifest = planManifest([{ name: "t", rowCount }]);
  const stats = planStats(manifest, { t: counts }, { tailReadsOf: { t: tailReads } });
  return new AccessProfile(rowCount, stats.header.tables[0], stats.countsOf("t"));
}

describe("AccessProfile", () => {
  it("takes all rows for equally likely without statistics", () => {
    const profile = new AccessProfile(100);

    const [all] = profile.accessOf([0, 100]);

    assert.equal(profile.isMeasured, false);
    assert.deepEqual(all?.pinnedMisses, [
      { rows: 0, missRatio: 1 },
      { rows: 100, missRatio: 0 },
    ]);
  });

  it("gives each range its share of reads", () => {
    const profile = profileOf(4, [60, 10, 20, 10]);

    const shares = profile.accessOf([0, 1, 3, 4]).map((range) => range.readShare);

    assert.deepEqual(shares, [0.6, 0.3, 0.1]);
  });

  it("misses what the hottest rows do not hold", () => {
    const profile = profileOf(4, [60, 10, 20, 10]);

    const [all] = profile.accessOf([0, 4]);

    assert.deepEqual(
      all?.pinnedMisses.map(({ rows, missRatio }) => [rows, Number(missRatio.toFixed(9))]),
      [
        [0, 1],
        [1, 0.4],
        [2, 0.2],
        [3, 0.1],
        [4, 0],
      ],
    );
  });

  it("believes a count less where rows are left that the log did not show", () => {
    const seen = profileOf(2, [10, 10]).accessOf([0, 2])[0]!;
    const unseen = profileOf(200, [10, 10]).accessOf([0, 200])[0]!;

    const missWithOneRow = (points: typeof seen.pinnedMisses): number | undefined =>
      points.find((point) => point.rows === 1)?.missRatio;
    assert.equal(missWithOneRow(seen.pinnedMisses), 0.5);
    assert.equal(missWithOneRow(unseen.pinnedMisses), 1 - (10 - 0.75) / 20);
  });

  it("spreads the tail over rows that are not listed", () => {
    const profile = profileOf(10, [50, 50], 100);

    const shares = profile.accessOf([0, 2, 6, 10]).map((range) => range.readShare);

    assert.deepEqual(shares, [0.5, 0.25, 0.25]);
  });
});
