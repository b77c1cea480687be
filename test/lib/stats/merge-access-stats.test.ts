import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AccessStatsDraft } from "../../../lib/stats/access-stats.js";
import type { AccessStatsFile } from "../../../lib/stats/access-stats-file.js";
import { mergeAccessStats } from "../../../lib/stats/merge-access-stats.js";
import { heaviestFirst, readsOf } from "../../../lib/stats/row-counts.js";
import { statsPart } from "../../support/stats-parts.js";

type TableDraft = AccessStatsDraft["tables"][number];

/** One table "t" whose row i was read `reads[i]` times. */
function part(
  reads: readonly number[],
  table: Partial<TableDraft> = {},
  header: Partial<AccessStatsDraft> = {},
): Pick<AccessStatsFile, "header" | "countsOf"> {
  const counts = heaviestFirst(
    Int32Array.from(reads, (_, rowId) => rowId),
    Uint32Array.from(reads),
  );
  const listedRowCount = counts.rowIds.length;
  const tailReadCount = table.tailReadCount ?? 0;
  const stats: TableDraft = {
    table: "t",
    readCount: readsOf(counts) + tailReadCount,
    distinctRowCount: listedRowCount,
    listedRowCount,
    tailReadCount,
    ...{ countErrorMax: 0, unlistedCountMax: 0, missRatioCurve: [], missRatioError: null },
    ...table,
  };
  const draft: AccessStatsDraft = {
    model: { name: "m", version: "1", hash: "h" },
    source: "log",
    ...{ sampleCount: 10, queryCount: 5, tables: [stats], features: [] },
    ...header,
  };
  return statsPart(draft, new Map([["t", counts]]));
}

describe("mergeAccessStats()", () => {
  it("adds counts row by row and sorts them again", () => {
    const { draft, countsByTable } = mergeAccessStats(
      [part([5, 0, 1, 2]), part([0, 7, 4, 2])],
      "periods",
    );

    assert.deepEqual(countsByTable.get("t"), {
      rowIds: Int32Array.of(1, 0, 2, 3),
      counts: Uint32Array.of(7, 5, 5, 4),
    });
    const [table] = draft.tables;
    assert.equal(table?.readCount, 21);
    assert.equal(table?.distinctRowCount, 4);
    assert.equal(table?.countErrorMax, 0);
    assert.equal(draft.sampleCount, 20);
  });

  it("adds the errors of parts that left rows out", () => {
    const whole = part([90, 5, 1]);
    const cut = part([80], { unlistedCountMax: 6, tailReadCount: 9, distinctRowCount: 4 });
    const cutMore = part([70], { unlistedCountMax: null, tailReadCount: 11, countErrorMax: 2 });

    const { draft } = mergeAccessStats([whole, cut, cutMore], "periods");

    const [table] = draft.tables;
    assert.equal(table?.countErrorMax, 6 + 11);
    assert.equal(table?.unlistedCountMax, 6 + 11);
    assert.equal(table?.tailReadCount, 20);
    // Three are listed, one part saw four, at most 3 + 4 + 1 can be distinct: 6 +- 2.
    assert.equal(table?.distinctRowCount, 6);
    assert.ok(Math.abs((table?.distinctRowError ?? 0) - 2 / 6) < 1e-12);
    // What 17 unlisted reads could move is not said.
    assert.deepEqual(
      table?.reuse?.map((bin) => bin.above),
      [64, 32],
    );
  });

  it("averages the curves of periods by reads and adds what their seams may cost", () => {
    const curve = (missRatio: number) => [
      { rows: 0, missRatio: 1 },
      { rows: 10, missRatio },
    ];
    const one = part([30, 30], { missRatioCurve: curve(0.2), missRatioError: 0.01 });
    const other = part([20], { missRatioCurve: curve(0.6), missRatioError: 0.05 });

    const { draft } = mergeAccessStats([one, other], "periods");

    const [table] = draft.tables;
    assert.equal(table?.missRatioMethod, "merged");
    const [, last] = table?.missRatioCurve ?? [];
    assert.equal(last?.rows, 10);
    assert.ok(Math.abs((last?.missRatio ?? 0) - 0.3) < 1e-12);
    // Row 0 is read in both: one first read of 80 may be a hit.
    assert.ok(Math.abs((table?.missRatioError ?? 0) - (0.02 + 1 / 80)) < 1e-12);
  });

  it("has no curve where a part has none", () => {
    const { draft } = mergeAccessStats(
      [part([1], { missRatioCurve: [{ rows: 0, missRatio: 1 }] }), part([1])],
      "periods",
    );

    assert.deepEqual(draft.tables[0]?.missRatioCurve, []);
    assert.equal(draft.tables[0]?.missRatioError, null);
  });

  it("takes samples once when shards counted the same ones", () => {
    const feature = { feature: "f", table: "t", bagLengthMax: 9, emptyBagCount: 1 };
    const bags = (readCount: number, bagCount: number) => ({
      ...{ ...feature, readCount, poolingFactor: 1 },
      bagLengths: [{ lengthMin: 3, lengthMax: 3, bagCount }],
    });
    const shards = [
      part([4, 0], {}, { features: [bags(4, 2)] }),
      part([0, 6], {}, { features: [bags(6, 3)] }),
    ];

    const { draft } = mergeAccessStats(shards, "shards");

    assert.equal(draft.sampleCount, 10);
    assert.equal(draft.features[0]?.poolingFactor, 1);
    assert.deepEqual(draft.features[0]?.bagLengths, [{ lengthMin: 3, lengthMax: 3, bagCount: 5 }]);
  });

  it("adds what queries read together, by chance where a log does not list the pair", () => {
    const log = (queries: number, together: number | null): ReturnType<typeof part> => {
      const base = part([1], { queryCount: queries });
      const pairs =
        together === null ? [] : [{ tables: ["t", "u"] as [string, string], queryCount: together }];
      const [table] = base.header.tables;
      return {
        ...base,
        header: {
          ...base.header,
          queryCount: 100,
          tables: [table!, { ...table!, table: "u" }],
          coAccess: { pairs, unlistedDeviationMax: together === null ? 0.1 : 0 },
        },
      };
    };

    const { coAccess } = mergeAccessStats([log(50, 45), log(40, null)], "periods").draft;

    assert.deepEqual(coAccess?.pairs, [{ tables: ["t", "u"], queryCount: 45 + 16 }]);
    // Half of 0.1, and the shares 0.5 and 0.4 lie 0.05 from their mean.
    assert.ok(Math.abs((coAccess?.unlistedDeviationMax ?? 0) - 0.0525) < 1e-12);
  });

  it("refuses different models and nothing at all", () => {
    const other = part([1], {}, { model: { name: "m", version: "2", hash: "other" } });

    assert.throws(() => mergeAccessStats([part([1]), other], "periods"), {
      code: "STATS_INVALID",
      message: /m version 1.*m version 2/,
    });
    assert.throws(() => mergeAccessStats([], "periods"), { code: "STATS_INVALID" });
  });
});
