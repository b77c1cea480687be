import type { ModelManifest } from "../../lib/model/manifest.js";
import { assertPlanFitsModel, type ShardingPlan, type ShardSpec } from "../../lib/plan/plan.js";
import type { AccessStatsFile } from "../../lib/stats/access-stats-file.js";
import { compareIds } from "./compare-ids.js";
import { type CostCoefficients, DEFAULT_COEFFICIENTS } from "./cost-model.js";
import { giveMemory, type MemoryRule } from "./give-memory.js";
import { placeByStrategy } from "./place-by-strategy.js";
import { planOf } from "./plan-of.js";
import type { Strategy } from "./strategy.js";
import { describeDemand, querySamplesOf } from "./table-demand.js";

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
}

/**
 * Makes a plan: places every row and column of every table once, gives each partition its memory,
 * and says what it expects of each shard. The same request gives the same plan, in whatever order
 * its tables and shards come.
 *
 * @throws ShardpoolError PLAN_DOES_NOT_FIT, with the numbers that would make it fit.
 */
export function makePlan(request: PlanRequest): ShardingPlan {
  const coefficients = request.coefficients ?? DEFAULT_COEFFICIENTS;
  const querySamples = querySamplesOf(request.stats, request.querySamples);
  const demands = describeDemand(request.manifest, request.stats, querySamples);
  const specs = specsFor(request);
  const shards = placeByStrategy(request.strategy, demands, specs, coefficients);
  const held = giveMemory(shards, request.memory, coefficients);
  const plan = planOf({ ...request, held, coefficients, querySamples });
  assertPlanFitsModel(plan, request.manifest, request.modelHash);
  return plan;
}

/** With a fraction, a shard gets the memory it needs, so that none is too small to place on. */
function specsFor({ shards, memory }: PlanRequest): ShardSpec[] {
  const sorted = shards.toSorted((a, b) => compareIds(a.id, b.id));
  if (memory.kind === "given") return sorted;
  return sorted.map((spec) => ({ ...spec, memoryBytesMax: Number.MAX_SAFE_INTEGER }));
}
