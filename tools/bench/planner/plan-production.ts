import { assertPlanFitsModel, type ShardingPlan, type ShardSpec } from "../../../lib/plan/plan.js";
import type { MemoryRule } from "../../../services/planner/give-memory.js";
import { makePlan } from "../../../services/planner/make-plan.js";
import { memoryBytesOf } from "../../../services/planner/shard-memory.js";
import type { Strategy } from "../../../services/planner/strategy.js";
import type { MicroBench, MicroContext } from "../micro/micro-bench.js";
import {
  type MadeInstance,
  makeInstance,
  PLAN_INSTANCES,
  type PlanInstance,
} from "./plan-instances.js";

/** The planner on generated production-like models, against the strategies that are simpler. */
export const planProduction: MicroBench = {
  name: "plan-production",
  summary: "39 to 1000 tables: slowest shard and block reads of `cost` over `capacity` and `load`",
  run: runPlanProduction,
};

const MODEL_HASH = "c".repeat(64);
const QUERY_SAMPLES = 270;

/** Memory that lies anywhere, or the same on every shard; as much in all. */
const MEMORY_KINDS = ["pooled", "even"] as const;
type MemoryKind = (typeof MEMORY_KINDS)[number];

/** A plan and what it took. */
interface Planned {
  readonly plan: ShardingPlan;
  readonly cpuSeconds: number;
  readonly isRight: boolean;
}

async function runPlanProduction(context: MicroContext): Promise<void> {
  for (const instance of PLAN_INSTANCES) {
    context.note(`${instance.name}: making statistics`);
    const made = makeInstance(instance, context.seed);
    for (const kind of MEMORY_KINDS) compareStrategies(instance, made, kind, context);
  }
}

function compareStrategies(
  instance: PlanInstance,
  made: MadeInstance,
  kind: MemoryKind,
  context: MicroContext,
): void {
  context.note(`${instance.name}: planning, ${kind} memory`);
  const cost = planBy("cost", instance, made, kind);
  for (const strategy of ["capacity", "load"] as const) {
    const other = planBy(strategy, instance, made, kind);
    const details = {
      better: "lower",
      correct: cost.isRight && other.isRight,
      planCpuSeconds: cost.cpuSeconds,
      gapToBound: slowestUsOf(cost.plan) / (cost.plan.quality?.boundUs ?? Number.NaN) - 1,
      boundBy: cost.plan.quality?.boundBy,
    } as const;
    const caseOf = (what: string): string =>
      `${instance.name} tables on ${instance.shardCount} shards, ${kind} memory: ${what}`;
    context.print({
      ...details,
      ...ratioOf("us", slowestUsOf(cost.plan), strategy, slowestUsOf(other.plan)),
      case: caseOf("slowest shard"),
    });
    context.print({
      ...details,
      ...ratioOf("blocks/query", blocksOf(cost.plan), strategy, blocksOf(other.plan)),
      case: caseOf("block reads"),
    });
  }
}

function planBy(
  strategy: Strategy,
  instance: PlanInstance,
  { manifest, stats, shards }: MadeInstance,
  kind: MemoryKind,
): Planned {
  const memory: MemoryRule =
    kind === "even" ? { kind: "given" } : { kind: "fraction", fraction: instance.cacheFraction };
  const before = process.cpuUsage();
  const plan = makePlan({
    manifest,
    modelHash: MODEL_HASH,
    stats,
    shards: kind === "even" ? evenShards(instance, { manifest, stats, shards }) : shards,
    memory,
    strategy,
    epoch: 1,
    querySamples: QUERY_SAMPLES,
  });
  const { user, system } = process.cpuUsage(before);
  assertPlanFitsModel(plan, manifest, MODEL_HASH);
  const isAboveBound = slowestUsOf(plan) >= (plan.quality?.boundUs ?? 0) * (1 - 1e-8);
  return { plan, cpuSeconds: (user + system) / 1e6, isRight: isAboveBound };
}

/** As much memory in all as the pooled cache takes, the same on each shard. */
function evenShards(
  { cacheFraction }: PlanInstance,
  { manifest, shards }: MadeInstance,
): ShardSpec[] {
  const rows = manifest.tables.reduce((sum, table) => sum + table.rowCount, 0);
  const rowBytes = manifest.tables.reduce(
    (sum, table) => sum + table.rowCount * table.embeddingDim * Float32Array.BYTES_PER_ELEMENT,
    0,
  );
  const count = shards.length;
  const memory = memoryBytesOf(rows / count, (rowBytes * cacheFraction) / count);
  return shards.map((spec) => ({ ...spec, memoryBytesMax: Math.ceil(memory) }));
}

function slowestUsOf(plan: ShardingPlan): number {
  return Math.max(...plan.estimate.map(({ costUs }) => costUs));
}

function blocksOf(plan: ShardingPlan): number {
  return plan.partitions.reduce((sum, { estimate }) => sum + (estimate?.blocksPerQuery ?? 0), 0);
}

function ratioOf(
  unit: string,
  value: number,
  name: string,
  baseline: number,
): { unit: string; value: number; baseline: { name: string; value: number }; ratio: number } {
  return { unit, value, baseline: { name, value: baseline }, ratio: value / baseline };
}
