import fc from "fast-check";
import { DTYPES } from "../../lib/model/dtype.js";
import type { ShardSpec } from "../../lib/plan/plan.js";
import type { PlanRequest } from "../../services/planner/make-plan.js";
import { STRATEGIES, type Strategy } from "../../services/planner/strategy.js";
import { type PlanTable, planManifest, planStats } from "./plan-cases.js";

const arbitraryTable = fc.record({
  rowCount: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 3000 })),
  embeddingDim: fc.constantFrom(4, 16, 48, 128),
  dtype: fc.constantFrom(...DTYPES),
  group: fc.constantFrom("left", "right"),
  poolingFactors: fc.array(fc.constantFrom(0.5, 1, 3, 40), { minLength: 0, maxLength: 3 }),
  /** Reads of the first rows; the others are not listed. */
  counts: fc.array(fc.constantFrom(0, 1, 2, 50, 4000), { maxLength: 60 }),
  tailReads: fc.constantFrom(0, 100),
});

const arbitraryShard = fc.record({
  weight: fc.constantFrom(0.5, 1, 1, 1, 2),
  diskBytesMax: fc.constantFrom(20_000, 300_000, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  memoryBytesMax: fc.constantFrom(30_000, 200_000, Number.MAX_SAFE_INTEGER),
});

/** Requests of every strategy over small models, statistics and shards of any kind. */
export const arbitraryPlanRequest: fc.Arbitrary<PlanRequest> = fc
  .record({
    tables: fc.array(arbitraryTable, { minLength: 1, maxLength: 8 }),
    shards: fc.array(arbitraryShard, { minLength: 1, maxLength: 6 }),
    strategy: fc.constantFrom(...(Object.keys(STRATEGIES) as Strategy[])),
    fraction: fc.option(fc.constantFrom(0, 0.1, 0.6, 1)),
    hasStats: fc.boolean(),
    querySamples: fc.constantFrom(1, 100),
    replicasMax: fc.constantFrom(1, 1, 2, 3),
    wishes: fc.array(fc.constantFrom("free", "free", "whole", "pinned", "grouped", "grouped"), {
      minLength: 8,
      maxLength: 8,
    }),
  })
  .map((drawn): PlanRequest => {
    const { tables, shards, strategy, fraction, hasStats, querySamples } = drawn;
    const named = tables.map((table, i) => ({ ...table, name: `t${i}` }));
    // A model needs one feature at least.
    const manifest = planManifest([...named, { name: "read", rowCount: 5 }] as PlanTable[]);
    const counts = named.map(({ name, rowCount, counts }) => [name, counts.slice(0, rowCount)]);
    const tails = named.map(({ name, tailReads }) => [name, tailReads]);
    const stats = planStats(manifest, Object.fromEntries(counts), {
      tailReadsOf: Object.fromEntries(tails),
    });
    return {
      manifest,
      modelHash: "b".repeat(64),
      stats: hasStats ? stats : null,
      shards: shards.map((shard, i): ShardSpec => ({ ...shard, id: `s${i}` })),
      memory: fraction === null ? { kind: "given" } : { kind: "fraction", fraction },
      strategy,
      epoch: 1,
      querySamples,
      ...(strategy === "cost" ? costWishes(drawn, named.length) : {}),
    };
  });

/** What only strategy `cost` may be asked for. */
function costWishes(
  drawn: {
    readonly wishes: readonly string[];
    readonly replicasMax: number;
    readonly fraction: number | null;
    readonly shards: readonly unknown[];
  },
  tableCount: number,
): Pick<PlanRequest, "constraints" | "replicasMax"> {
  const tablesWith = (wish: string): string[] =>
    drawn.wishes
      .slice(0, tableCount)
      .flatMap((candidate, i) => (candidate === wish ? [`t${i}`] : []));
  const grouped = tablesWith("grouped");
  return {
    // Pooled memory has no replicas.
    replicasMax: drawn.fraction === null ? drawn.replicasMax : 1,
    constraints: {
      pin: Object.fromEntries(
        tablesWith("pinned").map((table, i) => [table, `s${i % drawn.shards.length}`]),
      ),
      whole: tablesWith("whole"),
      together: grouped.length < 2 ? [] : [grouped],
    },
  };
}
