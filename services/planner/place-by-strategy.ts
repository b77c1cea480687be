import type { ShardSpec } from "../../lib/plan/plan.js";
import type { CostCoefficients } from "./cost-model.js";
import { doesNotFit } from "./does-not-fit.js";
import type { PartitionDraft } from "./partition-draft.js";
import { type PlacementUnit, placeGreedy, type ShardLoad, unitOf } from "./place-greedy.js";
import type { Strategy } from "./strategy.js";
import { type CutBy, TableCuts } from "./table-cuts.js";
import { leastMemoryOf, type TableDemand } from "./table-demand.js";

/** What a strategy balances and how it cuts a table. */
interface StrategyRule {
  readonly cutBy: CutBy;
  /** A table with more than a shard's even share of this is cut; undefined cuts for room alone. */
  readonly cutLoadOf?: (demand: TableDemand) => number;
  readonly loadOf: (draft: PartitionDraft) => number;
  /** Partitions with one name go to one shard; each has its own unless told. */
  readonly unitKeyOf?: (draft: PartitionDraft) => string;
}

/** Strategies that balance one number; `cost` has a search of its own. */
export type SimpleStrategy = Exclude<Strategy, "cost">;

const RULES: Readonly<Record<SimpleStrategy, StrategyRule>> = {
  "one-shard": { cutBy: "rows", loadOf: (draft) => draft.bytes },
  capacity: {
    cutBy: "rows",
    cutLoadOf: (demand) => demand.bytes,
    loadOf: (draft) => draft.bytes,
  },
  load: {
    cutBy: "reads",
    cutLoadOf: (demand) => demand.readsPerQuery,
    loadOf: (draft) => draft.readsPerQuery,
  },
  group: {
    cutBy: "rows",
    loadOf: (draft) => draft.readsPerQuery,
    unitKeyOf: (draft) => draft.table.group ?? draft.table.name,
  },
};

/** Partitions are made this many times smaller at most before packing them is given up. */
const FINENESS_MAX = 64;

/**
 * Cuts and places all tables by one of the simple strategies. Where partitions do not find room,
 * tables are cut finer until they do.
 *
 * @throws ShardpoolError PLAN_DOES_NOT_FIT.
 */
export function placeByStrategy(
  strategy: SimpleStrategy,
  demands: readonly TableDemand[],
  specs: readonly ShardSpec[],
  coefficients: CostCoefficients,
): ShardLoad[] {
  const usableOf = (all: readonly ShardSpec[]): readonly ShardSpec[] =>
    strategy === "one-shard" ? all.slice(0, 1) : all;
  const cutter = new Cutter(RULES[strategy], demands, coefficients);
  const placed = cutter.place(usableOf(specs));
  if (placed.unplaced.length === 0) return placed.shards;
  const rowBytes = demands.reduce((sum, demand) => sum + demand.bytes, 0);
  throw doesNotFit({
    specs: usableOf(specs),
    unplaced: placed.unplaced,
    rowBytes,
    memoryBytesLeast: leastMemoryOf(demands, coefficients),
    fits: (others) =>
      // The sum alone refuses most of what is tried.
      usableOf(others).reduce((sum, spec) => sum + spec.diskBytesMax, 0) >= rowBytes &&
      cutter.place(usableOf(others)).unplaced.length === 0,
  });
}

class Cutter {
  readonly #rule: StrategyRule;
  readonly #tables: readonly TableCuts[];

  constructor(rule: StrategyRule, demands: readonly TableDemand[], coefficients: CostCoefficients) {
    this.#rule = rule;
    this.#tables = demands.map((demand) => new TableCuts(demand, coefficients));
  }

  /** Cuts as coarsely as room allows, from what balance wants. */
  place(specs: readonly ShardSpec[]): ReturnType<typeof placeGreedy> {
    const capacityBytes = Math.max(...specs.map((spec) => spec.diskBytesMax));
    const coarsest = placeGreedy(this.#unitsFor(specs.length, capacityBytes), specs);
    let placed = coarsest;
    for (let fineness = 2; fineness <= FINENESS_MAX && placed.unplaced.length > 0; fineness *= 2) {
      placed = placeGreedy(this.#unitsFor(specs.length, capacityBytes / fineness), specs);
    }
    return placed.unplaced.length === 0 ? placed : coarsest;
  }

  #unitsFor(shardCount: number, bytesMax: number): PlacementUnit[] {
    const { cutLoadOf, cutBy } = this.#rule;
    const loadOf = cutLoadOf ?? (() => 0);
    const loadTotal = this.#tables.reduce((sum, { demand }) => sum + loadOf(demand), 0);
    const drafts = this.#tables.flatMap((table) => {
      const forBalance = partsAbove(loadOf(table.demand), loadTotal / shardCount);
      const forRoom = partsAbove(table.demand.bytes, bytesMax);
      return table.cut(cutBy, Math.max(forBalance, forRoom));
    });
    return this.#unitsOf(drafts);
  }

  #unitsOf(drafts: readonly PartitionDraft[]): PlacementUnit[] {
    const draftsByKey = new Map<string, PartitionDraft[]>();
    for (const draft of drafts) {
      const key =
        this.#rule.unitKeyOf?.(draft) ??
        `${draft.table.name} rows ${draft.rowStart}-${draft.rowEnd}`;
      const list = draftsByKey.get(key);
      if (list) list.push(draft);
      else draftsByKey.set(key, [draft]);
    }
    return [...draftsByKey].map(([key, list]) => {
      const load = list.reduce((sum, draft) => sum + this.#rule.loadOf(draft), 0);
      return unitOf(key, list, load);
    });
  }
}

/** Into how many parts to cut so that none is above `limit`. */
function partsAbove(amount: number, limit: number): number {
  return limit <= 0 || amount <= limit ? 1 : Math.ceil(amount / limit);
}
