import type { ShardingPlan, ShardSpec } from "../../lib/plan/plan.js";
import type { MemoryRule } from "../../services/planner/give-memory.js";
import type { PlanRequest } from "../../services/planner/make-plan.js";
import { STRATEGIES, type Strategy } from "../../services/planner/strategy.js";
import { type PlanTable, planManifest, planStats } from "./plan-cases.js";
import { PLAN_CASE_COEFFICIENTS } from "./plan-coefficients.js";

/**
 * A plan request as lines of text, one thing a line, words and their values in pairs:
 *
 *     strategy load
 *     samples 100
 *     memory fraction 0.5                          (or: memory given)
 *     shard s0 memory 100000 disk 500000 weight 1  (memory, disk and weight may be left out)
 *     table ads rows 1000 dim 16 dtype int8 group left pooling 3,1
 *     counts ads 100x5 1x20                        (5 rows read 100 times, then 20 rows once; by row id)
 *     replicas 2
 *     pin ads s0
 *     whole ads
 *     together ads users
 */
export function parsePlanCase(text: string): PlanRequest {
  const tables: PlanTable[] = [];
  const shards: ShardSpec[] = [];
  const counts: Record<string, number[]> = {};
  let memory: MemoryRule = { kind: "fraction", fraction: 1 };
  let strategy: Strategy = "load";
  let querySamples = 100;
  let replicasMax = 1;
  const pin: Record<string, string> = {};
  const whole: string[] = [];
  const together: string[][] = [];
  for (const line of text.split("\n").filter((candidate) => /^\w/.test(candidate))) {
    const [word = "", name = "", ...rest] = line.trim().split(/\s+/);
    if (word === "strategy") strategy = strategyNamed(name);
    else if (word === "samples") querySamples = Number(name);
    else if (word === "memory") memory = memoryRuleOf(name, Number(rest[0]));
    else if (word === "shard") shards.push(shardOf(name, pairsOf(rest)));
    else if (word === "table") tables.push(tableOf(name, pairsOf(rest)));
    else if (word === "counts") counts[name] = rest.flatMap(runOf);
    else if (word === "replicas") replicasMax = Number(name);
    else if (word === "pin") pin[name] = rest[0] ?? "";
    else if (word === "whole") whole.push(name);
    else if (word === "together") together.push([name, ...rest]);
    else throw new RangeError(`no such line in a plan case: ${line}`);
  }
  const manifest = planManifest(tables);
  const stats = Object.keys(counts).length === 0 ? null : planStats(manifest, counts);
  const modelHash = "a".repeat(64);
  const epoch = 1;
  return {
    manifest,
    modelHash,
    stats,
    shards,
    memory,
    strategy,
    epoch,
    coefficients: PLAN_CASE_COEFFICIENTS,
    querySamples,
    replicasMax,
    constraints: { pin, whole, together },
  };
}

/** What was decided, without hashes: one line a shard, under it its partitions. */
export function planText(plan: ShardingPlan): string {
  const lines = plan.estimate.flatMap((shard) => [
    `${shard.shard}: ${shard.rowBytes} row bytes, ${shard.cacheBytes} cached, ` +
      `${shard.rowsPerQuery} rows, ${shard.costUs.toFixed(1)} us, hit ratio ${shard.hitRatio?.toFixed(3) ?? "-"}`,
    ...plan.partitions
      .filter((partition) => partition.shards.includes(shard.shard))
      .map(
        (partition) =>
          `  ${partition.table} rows ${partition.rowStart}-${partition.rowEnd}` +
          ` columns ${partition.columnStart}-${partition.columnEnd}` +
          ` cache ${partition.cacheBytes} pinned ${partition.pinnedRows}` +
          (partition.shards.length > 1 ? ` replicas ${partition.shards.join(" ")}` : ""),
      ),
  ]);
  return `${lines.join("\n")}\n`;
}

function strategyNamed(name: string): Strategy {
  if (name in STRATEGIES) return name as Strategy;
  throw new RangeError(`no strategy ${name}`);
}

function memoryRuleOf(kind: string, fraction: number): MemoryRule {
  return kind === "given" ? { kind } : { kind: "fraction", fraction };
}

function shardOf(id: string, values: ReadonlyMap<string, string>): ShardSpec {
  return {
    id,
    memoryBytesMax: Number(values.get("memory") ?? Number.MAX_SAFE_INTEGER),
    diskBytesMax: Number(values.get("disk") ?? Number.MAX_SAFE_INTEGER),
    weight: Number(values.get("weight") ?? 1),
  };
}

function tableOf(name: string, values: ReadonlyMap<string, string>): PlanTable {
  const group = values.get("group");
  return {
    name,
    rowCount: Number(values.get("rows")),
    embeddingDim: Number(values.get("dim") ?? 16),
    dtype: (values.get("dtype") ?? "float32") as NonNullable<PlanTable["dtype"]>,
    poolingFactors: (values.get("pooling") ?? "1").split(",").map(Number),
    ...(group === undefined ? {} : { group }),
  };
}

function runOf(text: string): number[] {
  const [count = 0, rows = 1] = text.split("x").map(Number);
  return new Array<number>(rows).fill(count);
}

function pairsOf(words: readonly string[]): Map<string, string> {
  const pairs = new Map<string, string>();
  for (let i = 0; i + 1 < words.length; i += 2) pairs.set(words[i]!, words[i + 1]!);
  return pairs;
}
