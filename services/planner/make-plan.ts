import type { ModelManifest } from "../../lib/model/manifest.js";
import { assertPlanFitsModel, type ShardingPlan, type ShardSpec } from "../../lib/plan/plan.js";
import type { AccessStatsFile } from "../../lib/stats/access-stats-file.js";
import { placementBoundOf } from "./bounds/placement-bound.js";
import { type BoundRequest, type SlowestBound, slowestBoundOf } from "./bounds/slowest-bound.js";
import { compareIds } from "./compare-ids.js";
import { type CostRequest, findsRoom, placeByCost } from "./cost/place-by-cost.js";
import { type CostCoefficients, DEFAULT_COEFFICIENTS } from "./cost-model.js";
import { doesNotFit } from "./does-not-fit.js";
import { giveCostMemory } from "./give-cost-memory.js";
import { giveMemory, type HeldShard, type MemoryRule } from "./give-memory.js";
import type { LinearSolver } from "./linear-solver.js";
import { placeByStrategy } from "./place-by-strategy.js";
import {
  assertConstraintsApply,
  NO_CONSTRAINTS,
  type PlanConstraints,
} from "./plan-constraints.js";
import { estimateOf, planOf } from "./plan-of.js";
import { assertStrategyCan, type Strategy } from "./strategy.js";
import { describeDemand, leastMemoryOf, querySamplesOf, type TableDemand } from "./table-demand.js";

export interface PlanRequest {
  readonly manifest: ModelManifest;
  readonly modelHash: string;
  /** Null plans by the model's own pooling factors, with all rows equally likely. */
  readonly stats: AccessStatsFile | null;
  readonly shards: readonly ShardSpec[];
  readonly memory: MemoryRule;
  readonly strategy: Strategy;
  readonly epoch: number;
  readonly coefficients?: CostCoefficients;
  /** Samples of the query to plan for; without it the mean of the statistics. */
  readonly querySamples?: number;
  /** Of strategy `cost` alone. */
  readonly constraints?: PlanConstraints;
  /** Copies of a partition at most, the first included; strategy `cost` makes them. 1 unless told. */
  readonly replicasMax?: number;
  /** Of the search of strategy `cost`; 1 unless told. */
  readonly seed?: number;
  /** Makes and proves better plans in small clusters; see `createLinearSolver`. */
  readonly solver?: LinearSolver;
}

/**
 * Makes a plan: places every row and column of every table once, gives each partition its memory,
 * and says what it expects of each shard. The same request gives the same plan, in whatever order
 * its tables and shards come, and at whatever speed.
 *
 * @throws ShardpoolError PLAN_DOES_NOT_FIT, with the numbers that would make it fit; CONFIG_INVALID
 * for constraints that contradict the model, the shards or each other.
 */
export function makePlan(request: PlanRequest): ShardingPlan {
  const { manifest, modelHash, constraints = NO_CONSTRAINTS } = request;
  assertConstraintsApply(constraints, manifest, request.shards);
  assertStrategyCan(request.strategy, constraints, request.replicasMax ?? 1, request.memory);
  const task = taskOf(request, constraints);
  const held = hold(request, task);
  const bound = boundFor(held, task);
  const { coefficients, querySamples } = task;
  const estimates = held.map((shard) => estimateOf(shard, coefficients).costUs);
  const quality = {
    querySamples,
    costSource: coefficients.source,
    slowestUs: Math.max(...estimates),
    boundUs: Number(bound.boundUs.toPrecision(9)),
    boundBy: bound.boundBy,
  };
  const plan = planOf({ ...request, held, coefficients, quality });
  assertPlanFitsModel(plan, manifest, modelHash);
  return plan;
}

/** A request worked out: in an order and with numbers that do not depend on how it was asked. */
interface PlanTask extends BoundRequest {
  readonly demands: readonly TableDemand[];
  readonly specs: readonly ShardSpec[];
  readonly querySamples: number;
}

function taskOf(request: PlanRequest, constraints: PlanConstraints): PlanTask {
  const { memory, manifest, stats } = request;
  const coefficients = request.coefficients ?? DEFAULT_COEFFICIENTS;
  const querySamples = querySamplesOf(stats, request.querySamples);
  const demands = describeDemand(manifest, stats, querySamples);
  return {
    demands,
    specs: specsFor(request),
    coefficients,
    constraints,
    querySamples,
    replicasMax: request.replicasMax ?? 1,
    solver: request.solver,
    pooledCacheBytes: memory.kind === "given" ? undefined : pooledBytesOf(demands, memory.fraction),
  };
}

/** With a fraction, a shard gets the memory it needs, so that none is too small to place on. */
function specsFor({ shards, memory }: PlanRequest): ShardSpec[] {
  const sorted = shards.toSorted((a, b) => compareIds(a.id, b.id));
  if (memory.kind === "given") return sorted;
  return sorted.map((spec) => ({ ...spec, memoryBytesMax: Number.MAX_SAFE_INTEGER }));
}

/** As much cache as all partitions have when each gets the fraction of its rows. */
function pooledBytesOf(demands: readonly TableDemand[], fraction: number): number {
  return demands.reduce(
    (sum, { table, rowBytes }) => sum + Math.ceil(table.rowCount * fraction) * rowBytes,
    0,
  );
}

function hold(request: PlanRequest, task: PlanTask): HeldShard[] {
  if (request.strategy !== "cost") {
    const { demands, specs, coefficients } = task;
    const shards = placeByStrategy(request.strategy, demands, specs, coefficients);
    return giveMemory(shards, request.memory);
  }
  const searchOn = (specs: readonly ShardSpec[]): CostRequest => ({
    ...task,
    specs,
    seed: request.seed ?? 1,
    boundUs: slowestBoundOf({ ...task, specs }).boundUs,
  });
  const { shards, unplaced } = placeByCost(searchOn(task.specs));
  if (unplaced.length > 0) {
    const rowBytes = task.demands.reduce((sum, demand) => sum + demand.bytes, 0);
    throw doesNotFit({
      specs: task.specs,
      unplaced,
      rowBytes,
      memoryBytesLeast: leastMemoryOf(task.demands, task.coefficients),
      fits: (specs) =>
        specs.reduce((sum, spec) => sum + spec.diskBytesMax, 0) >= rowBytes &&
        findsRoom(searchOn(specs)),
    });
  }
  return giveCostMemory(shards, task.coefficients, task.pooledCacheBytes);
}

/** The bound for as much cache as the plan has: one block a partition may be more than was asked for. */
function boundFor(held: readonly HeldShard[], task: PlanTask): SlowestBound {
  if (task.pooledCacheBytes === undefined) return bestBoundOf(task);
  const cacheBytes = held
    .flatMap((shard) => shard.held)
    .reduce((sum, entry) => sum + entry.cacheBytes, 0);
  return bestBoundOf({
    ...task,
    pooledCacheBytes: Math.max(task.pooledCacheBytes, cacheBytes),
  });
}

function bestBoundOf(request: BoundRequest): SlowestBound {
  const bound = slowestBoundOf(request);
  const { solver } = request;
  const proved = solver === undefined ? undefined : placementBoundOf(request, solver);
  return proved !== undefined && proved.boundUs > bound.boundUs ? proved : bound;
}
