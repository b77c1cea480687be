import type { ShardSpec } from "../../../lib/plan/plan.js";
import { Random } from "../../../lib/random.js";
import { accessCounterBytesOf } from "../../../lib/stats/access-counter-bytes.js";
import { keptWholeOf } from "../bounds/slowest-bound.js";
import type { CostCoefficients } from "../cost-model.js";
import { placeExactly } from "../exact/place-exactly.js";
import type { LinearSolver } from "../linear-solver.js";
import type { PartitionDraft } from "../partition-draft.js";
import type { PlanConstraints } from "../plan-constraints.js";
import {
  leastCacheBytesOf,
  MEMORY_BYTES_A_ROW,
  MEMORY_OVERHEAD_FRACTION,
} from "../shard-memory.js";
import type { TableDemand } from "../table-demand.js";
import { type CostUnit, type ShardShare, type UnitRules, UnitSource } from "./cost-units.js";
import { cutEvenly } from "./cut-range.js";
import { LocalSearch, slowestOf } from "./local-search.js";
import { mergeUnits } from "./merge-units.js";
import { byBytes, byFullness, placeUnits } from "./place-units.js";
import { gridPricing, type Priceable, type Pricing, pooledPricing } from "./price-grid.js";
import { replicateHot } from "./replicate.js";
import { ShardSums } from "./shard-sums.js";

export interface CostRequest {
  /** By name, each table once. */
  readonly demands: readonly TableDemand[];
  /** By id. */
  readonly specs: readonly ShardSpec[];
  readonly coefficients: CostCoefficients;
  readonly constraints: PlanConstraints;
  /** Bytes of cache of all shards together, where memory lies anywhere; else each shard's own. */
  readonly pooledCacheBytes?: number | undefined;
  /** Copies of a partition at most, the first included. */
  readonly replicasMax: number;
  readonly seed: number;
  readonly solver?: LinearSolver | undefined;
  /** No plan has a slowest shard below this. */
  readonly boundUs: number;
}

export interface CostPlacement {
  readonly shards: readonly ShardSums[];
  /** What found no room; then nothing else is worth reading. */
  readonly unplaced: readonly CostUnit[];
}

/** Cells by which a table may be cut: so many in what one shard works off in a query. */
const CELLS_A_SHARD = 192;
/** And so many in what one shard's disk holds. */
const CELLS_A_DISK = 48;
const CELLS_A_TABLE_MAX = 1 << 15;

/** Within this of the bound, a better plan is not worth the search. */
const GOOD_ENOUGH = 1.002;

/** Comparisons of a search: about half a second. */
const WORK_MAX = 2_500_000;

/** Cuts change what memory is worth: the search runs again at the new price this often. */
const PRICING_ROUNDS = 3;

/** Joins may cost the slowest shard this share for the CPU they save everywhere. */
const JOIN_SLACK = 1.001;

/** A part whose own segments, bags and answer cost more than this share of it is not worth cutting off. */
const OVERHEAD_SHARE_MAX = 0.5;

/**
 * Places all tables so that the slowest shard of a query is as fast as can be found, and, among plans
 * as fast, total work is least. Tables too dear for a shard's share are cut first; then units go to
 * the shards greedily, dearest first; then a local search moves, swaps and splits what lies on the
 * slowest shard, joins what need not be apart, and copies what is hot where there is room.
 */
export function placeByCost(request: CostRequest): CostPlacement {
  const { source, tries } = greedyTries(request);
  for (const units of tries) {
    const { shards, unplaced } = placeGreedily(units, source, request);
    if (unplaced.length > 0) continue;
    mergeUnits(shards, source, 0);
    return { shards: improve(shards, source, request), unplaced };
  }
  return placeGreedily(tries[0]!, source, request);
}

/** Whether everything finds room on these shards, without a search for a good place. */
export function findsRoom(request: CostRequest): boolean {
  const { source, tries } = greedyTries(request);
  return tries.some((units) => placeGreedily(units, source, request).unplaced.length === 0);
}

/** The orders in which units are placed until one finds room for all: for balance, then for room. */
function greedyTries(request: CostRequest): {
  source: UnitSource;
  tries: readonly CostUnit[][];
} {
  const pricing = pricingFor(request);
  const source = sourceFor(request, pricing);
  const units = initialUnits(request, source);
  return { source, tries: [byFullness(units, source), byBytes(units)] };
}

function placeGreedily(
  units: readonly CostUnit[],
  source: UnitSource,
  request: CostRequest,
): { shards: ShardSums[]; unplaced: CostUnit[] } {
  const shards = request.specs.map(
    (spec, index) => new ShardSums(spec, index, request.coefficients, source.pricing),
  );
  const unplaced = placeUnits(units, shards, source);
  return { shards, unplaced };
}

function shareOf(request: CostRequest): ShardShare {
  const memoryBytes = request.specs.reduce((sum, spec) => sum + spec.memoryBytesMax, 0);
  const shardCount = request.specs.length;
  const counterBytes = accessCounterBytesOf(rowCountOf(request) / shardCount);
  return {
    us: shardUsOf(request, 1),
    memoryBytes: Math.max(1, memoryBytes / shardCount - counterBytes),
  };
}

function rowCountOf({ demands }: CostRequest): number {
  return demands.reduce((sum, { table }) => sum + table.rowCount, 0);
}

/** Searches, and where memory is pooled, once more at the price of memory that the cuts have made. */
function improve(
  shards: readonly ShardSums[],
  source: UnitSource,
  request: CostRequest,
): readonly ShardSums[] {
  let current = { shards, source };
  const rounds = request.pooledCacheBytes === undefined ? 1 : PRICING_ROUNDS;
  for (let round = 0; round < rounds; round++) {
    if (round > 0) current = repriced(current.shards, current.source, request);
    search(current.shards, current.source, request, WORK_MAX / rounds);
  }
  if (request.solver !== undefined) placeExactly(current.shards, current.source, request.solver);
  replicateHot(current.shards, request.replicasMax);
  return current.shards;
}

function search(
  shards: readonly ShardSums[],
  source: UnitSource,
  request: CostRequest,
  workMax: number,
): void {
  const limits = { goodEnoughUs: request.boundUs * GOOD_ENOUGH, workMax };
  new LocalSearch(shards, source, limits, new Random(request.seed, "planner")).run();
  const limitUs = Math.max(slowestOf(shards).costUs, request.boundUs) * JOIN_SLACK;
  mergeUnits(shards, source, limitUs);
}

/** The same placement with memory priced for its own partitions. */
function repriced(
  shards: readonly ShardSums[],
  { demands, cells, coefficients }: UnitSource,
  request: CostRequest,
): { shards: ShardSums[]; source: UnitSource } {
  const drafts = shards.flatMap((shard) => shard.units.flatMap((unit) => unit.drafts));
  const pricing = pooledPricing(priceableOf(drafts), request.pooledCacheBytes ?? 0);
  const source = new UnitSource(demands, cells, coefficients, pricing, shareOf(request));
  const copies = shards.map((shard) => {
    const copy = new ShardSums(shard.spec, shard.index, coefficients, pricing);
    for (const { parts, ...rules } of shard.units) copy.add(source.unitOf(parts, rules));
    return copy;
  });
  return { shards: copies, source };
}

function priceableOf(drafts: readonly PartitionDraft[]): Priceable[] {
  return drafts.map((draft) => ({
    missCurve: draft.missCurve,
    leastBytes: leastCacheBytesOf(draft),
  }));
}

function pricingFor(request: CostRequest): Pricing {
  const { demands, coefficients, pooledCacheBytes } = request;
  const priceless: Pricing = {
    priceCount: 0,
    usualPrice: 0,
    usualAlong: 0,
    isPooled: false,
    pricedCurveOf: () => ({ cacheBytesAt: new Float64Array(0), blocksAt: new Float64Array(0) }),
  };
  const cells = demands.map((demand) => demand.profile.cells(1));
  const source = new UnitSource(demands, cells, coefficients, priceless, shareOf(request));
  const drafts = demands.map(
    (_, i) => source.unitOf([source.wholeTable(i)], { canSplit: true }).drafts[0]!,
  );
  const priceable = priceableOf(drafts);
  if (pooledCacheBytes !== undefined) return pooledPricing(priceable, pooledCacheBytes);
  const { memoryBytes } = shareOf(request);
  const perShard = memoryBytes - (rowCountOf(request) / request.specs.length) * MEMORY_BYTES_A_ROW;
  const cacheBytes = (perShard * request.specs.length) / (1 + MEMORY_OVERHEAD_FRACTION);
  return gridPricing(priceable, cacheBytes);
}

/** Cuts the tables into cells as fine as their share of the work, or of the disks, asks for. */
function sourceFor(request: CostRequest, pricing: Pricing): UnitSource {
  const { demands, specs, coefficients, constraints } = request;
  const coarse = new UnitSource(
    demands,
    demands.map((demand) => demand.profile.cells(1)),
    coefficients,
    pricing,
    shareOf(request),
  );
  const keptWhole = keptWholeOf(constraints);
  const diskBytes = Math.max(1, Math.min(...specs.map((spec) => spec.diskBytesMax)));
  const shardUs = shardUsOf(request, Math.min(...specs.map((spec) => spec.weight)));
  const cells = demands.map((demand, i) => {
    if (keptWhole.has(demand.table.name)) return coarse.cells[i]!;
    const us = coarse.usOf(coarse.unitOf([coarse.wholeTable(i)], { canSplit: true }));
    const wanted = Math.max(
      (us / shardUs) * CELLS_A_SHARD,
      Math.min(1024, (demand.bytes / diskBytes) * CELLS_A_DISK),
    );
    return demand.profile.cells(Math.min(CELLS_A_TABLE_MAX, Math.ceil(wanted)));
  });
  return new UnitSource(demands, cells, coefficients, pricing, shareOf(request));
}

/** Microseconds of work that a shard of this weight does in a query of the best plan there could be. */
function shardUsOf({ boundUs, coefficients }: CostRequest, weight: number): number {
  return Math.max(boundUs * weight - coefficients.messageUs, coefficients.messageUs / 10);
}

/** Groups that stay together, tables that stay whole, and tables in parts that a shard can do. */
function initialUnits(request: CostRequest, source: UnitSource): CostUnit[] {
  const { demands, constraints, specs } = request;
  const indexByName = new Map(demands.map(({ table }, i) => [table.name, i]));
  const grouped = new Set(constraints.together.flat());
  const keptWhole = keptWholeOf(constraints);
  const shardUs = shardUsOf(request, Math.max(...specs.map((spec) => spec.weight)));
  const groups = constraints.together.map((names) => {
    const pinnedTo = names.map((table) => constraints.pin[table]).find((id) => id !== undefined);
    const parts = names.map((table) => source.wholeTable(indexByName.get(table)!));
    return source.unitOf(parts, { pinnedTo, canSplit: false });
  });
  const others = demands.flatMap(({ table }, i) => {
    if (grouped.has(table.name)) return [];
    const canSplit = !keptWhole.has(table.name);
    const rules: UnitRules = { pinnedTo: constraints.pin[table.name], canSplit };
    const whole = source.unitOf([source.wholeTable(i)], rules);
    return canSplit ? cutToShare(whole, source, shardUs) : [whole];
  });
  return [...groups, ...others];
}

/** A table that is more than one shard can do, or keep, in as many parts as its shares add up to. */
function cutToShare(whole: CostUnit, source: UnitSource, shardUs: number): CostUnit[] {
  const us = source.usOf(whole);
  const overheadUs = whole.drafts[0]!.overheadUs;
  const worthCutting = Math.floor(us / (overheadUs / OVERHEAD_SHARE_MAX));
  const forTime = us / shardUs;
  const forMemory = source.memoryShareOf(whole);
  const partCount =
    forMemory > 1 ? Math.ceil(forTime + forMemory) : Math.min(Math.ceil(forTime), worthCutting);
  return partCount < 2 ? [whole] : cutEvenly(source, whole.parts[0]!, partCount);
}
