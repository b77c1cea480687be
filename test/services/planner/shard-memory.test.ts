import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DEFAULT_COEFFICIENTS } from "../../../services/planner/cost-model.js";
import { blocksMissedAt } from "../../../services/planner/miss-curve.js";
import type { PartitionDraft } from "../../../services/planner/partition-draft.js";
import {
  cacheBudgetOf,
  memoryBytesOf,
  rowCountOf,
  shareByBytes,
  shareByMisses,
} from "../../../services/planner/shard-memory.js";
import { TableCuts } from "../../../services/planner/table-cuts.js";
import { describeDemand } from "../../../services/planner/table-demand.js";
import { planManifest, planStats } from "../../support/plan-cases.js";

const ROWS = 4000;
const ROW_BYTES = 64;
const BLOCK_BYTES = 512;
const coefficients = { ...DEFAULT_COEFFICIENTS, blockBytes: BLOCK_BYTES };

/** One table whose first tenth gets nearly all reads, one that is read evenly. */
function skewedAndEven(): PartitionDraft[] {
  const manifest = planManifest([
    { name: "even", rowCount: ROWS },
    { name: "skewed", rowCount: ROWS },
  ]);
  const skewed = Array.from({ length: ROWS }, (_, row) => (row < ROWS / 10 ? 500 : 1));
  const stats = planStats(manifest, { even: new Array<number>(ROWS).fill(50), skewed });
  const demands = describeDemand(manifest, stats, 100);
  return demands.flatMap((demand) => new TableCuts(demand, coefficients).cut("rows", 1));
}

const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);

describe("shareByMisses()", () => {
  const drafts = skewedAndEven();
  const budget = ROWS * ROW_BYTES;

  it("misses less than equal parts of the same memory", () => {
    const missed = (cacheBytes: readonly number[]): number =>
      sum(drafts.map((draft, i) => blocksMissedAt(draft.missCurve, cacheBytes[i]!)));

    const byMisses = missed(shareByMisses(drafts, budget));
    const byBytes = missed(shareByBytes(drafts, budget));

    assert.ok(byMisses < byBytes, `${byMisses} of ${byBytes}`);
  });

  it("spends no more than there is, and nearly all of it", () => {
    const shared = sum(shareByMisses(drafts, budget));

    assert.ok(shared <= budget && shared > budget - 2 * BLOCK_BYTES, `${shared} of ${budget}`);
  });

  it("gives all of everything when there is enough", () => {
    assert.deepEqual(
      shareByMisses(drafts, 1e9),
      drafts.map((draft) => draft.bytes),
    );
  });

  it("gives each one block when there is next to nothing", () => {
    assert.deepEqual(shareByMisses(drafts, 2 * BLOCK_BYTES), [512, 512]);
  });
});

describe("memoryBytesOf()", () => {
  it("counts cache and its slots, where rows lie, and counters of reads up to their limit", () => {
    assert.equal(memoryBytesOf(1000, 2000), 2000 * 1.15 + 1000 * (0.5 + 8));
    assert.equal(memoryBytesOf(2 ** 24, 0), 2 ** 24 * 0.5 + 2 ** 22 * 8);
  });
});

describe("cacheBudgetOf()", () => {
  it("leaves room for what a shard needs beside rows", () => {
    const memoryBytesMax = 100_000;

    const rowCount = rowCountOf(skewedAndEven());

    const budget = cacheBudgetOf({ memoryBytesMax }, rowCount);

    const used = memoryBytesOf(rowCount, budget);
    assert.ok(used <= memoryBytesMax && used > memoryBytesMax - 2, `${used}`);
  });
});
