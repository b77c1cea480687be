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

  it("misses what the hottest rows do not hold, a point for rows of one count", () => {
    const profile = profileOf(4, [60, 10, 20, 10]);

    const [all] = profile.accessOf([0, 4]);

    assert.deepEqual(
      all?.pinnedMisses.map(({ rows, missRatio }) => [rows, Number(missRatio.toFixed(9))]),
      [
        [0, 1],
        [1, 0.4],
        [2, 0.2],
        [4, 0],
      ],
    );
  });

  it("believes a count less where the log read rows once and left others out", () => {
    const counts = [12, 10, ...new Array<number>(20).fill(1)];
    const missWithTwoRows = (rowCount: number): number | undefined => {
      const [all] = profileOf(rowCount, counts).accessOf([0, rowCount]);
      return all?.pinnedMisses.find((point) => point.rows === 2)?.missRatio;
    };

    // 20 of 42 reads were of rows read once: as many will be of rows that it did not show.
    assert.equal(missWithTwoRows(22), 1 - 22 / 42);
    assert.equal(missWithTwoRows(200), 1 - (22 - 2 * (20 / 22)) / 42);
  });

  it("spreads the tail over rows that are not listed", () => {
    const profile = profileOf(10, [50, 50], 100);

    const shares = profile.accessOf([0, 2, 6, 10]).map((range) => range.readShare);

    assert.deepEqual(shares, [0.5, 0.25, 0.25]);
  });

  it("takes counts of a sample that were scaled up for what they were", () => {
    const counts = Array.from({ length: 2000 }, (_, row) => (row < 1500 ? 1 : 1 + (row % 9)));

    const plain = profileOf(5000, counts).accessOf([0, 1800, 5000]);
    const scaled = profileOf(
      5000,
      counts.map((count) => count * 64),
    ).accessOf([0, 1800, 5000]);

    assert.deepEqual(scaled, plain);
  });

  it("adds up, however its rows are cut", () => {
    const profile = profileOf(1000, [900, 40, 40, 7, 7, 7, 1, 1], 50);
    const [whole] = profile.accessOf([0, 1000]);
    const parts = profile.accessOf([0, 3, 6, 500, 1000]);

    const missed = (rows: number, range: (typeof parts)[number]): number =>
      range.readShare * (range.pinnedMisses.find((point) => point.rows === rows)?.missRatio ?? 1);
    const hotRowsCached = [3, 3, 2, 0].map((rows, i) => missed(rows, parts[i]!));
    const sum = hotRowsCached.reduce((total, value) => total + value, 0);
    assert.ok(Math.abs(sum - missed(8, whole!)) < 1e-12, `${sum}`);
  });
});

describe("AccessProfile.cells()", () => {
  it("gives no cell much more than its share of rows or of reads", () => {
    const rowCount = 50_000;
    const counts = Array.from({ length: rowCount }, (_, row) => Math.ceil(3000 / (row + 1)));
    const cells = profileOf(rowCount, counts).cells(16);

    assert.ok(cells.cellCount > 10 && cells.cellCount <= 16, `${cells.cellCount}`);
    for (let cell = 0; cell < cells.cellCount; cell++) {
      const rows = cells.boundaries[cell + 1]! - cells.boundaries[cell]!;
      const isOneBin = rows <= Math.ceil(rowCount / (16 * 16));
      assert.ok(isOneBin || cells.readShareOf(cell, cell + 1) <= 2.5 / 16);
      assert.ok(rows <= (2.5 * rowCount) / 16, `${rows}`);
    }
  });
});
