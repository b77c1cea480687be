import { ShardpoolError } from "../../lib/errors.js";
import {
  type PlanQuality,
  type ShardingPlan,
  type ShardSpec,
  sealPlan,
} from "../../lib/plan/plan.js";
import { makePlan, type PlanRequest } from "./make-plan.js";

/** What one further means would make of the slowest shard. */
export type Outlook = NonNullable<PlanQuality["outlook"]>[number];

/** How much more memory is tried. */
const MEMORY_FACTOR = 1.1;

/**
 * Plans again with one more shard, and with a tenth more memory, to see which would help: the means
 * an operator can buy. A variant that cannot be planned is left out.
 */
export function outlookOf(request: PlanRequest): Outlook[] {
  return [
    { change: "one more shard", variant: withOneMoreShard(request) },
    { change: "10 % more memory", variant: withMoreMemory(request) },
  ].flatMap(({ change, variant }) => {
    const slowestUs = variant === undefined ? undefined : slowestUsOf(variant);
    return slowestUs === undefined ? [] : [{ change, slowestUs }];
  });
}

/** The plan with its outlook written into it, and its hash anew. */
export function withOutlook(plan: ShardingPlan, outlook: readonly Outlook[]): ShardingPlan {
  const { hash: _, ...rest } = plan;
  if (rest.quality === undefined) return plan;
  return sealPlan({ ...rest, quality: { ...rest.quality, outlook } });
}

function slowestUsOf(request: PlanRequest): number | undefined {
  try {
    return makePlan(request).quality?.slowestUs;
  } catch (error) {
    if (error instanceof ShardpoolError) return undefined;
    throw error;
  }
}

/** The further shard is like the largest there is. */
function withOneMoreShard(request: PlanRequest): PlanRequest | undefined {
  if (request.strategy === "one-shard") return undefined;
  const largest = request.shards.reduce((a, b) => (isLarger(b, a) ? b : a));
  let number = request.shards.length;
  while (request.shards.some(({ id }) => id === `further-${number}`)) number++;
  return { ...request, shards: [...request.shards, { ...largest, id: `further-${number}` }] };
}

function isLarger(a: ShardSpec, b: ShardSpec): boolean {
  return a.memoryBytesMax * a.weight > b.memoryBytesMax * b.weight;
}

function withMoreMemory(request: PlanRequest): PlanRequest | undefined {
  const { memory, shards } = request;
  if (memory.kind === "fraction") {
    if (memory.fraction >= 1) return undefined;
    const fraction = Math.min(1, memory.fraction * MEMORY_FACTOR);
    return { ...request, memory: { kind: "fraction", fraction } };
  }
  const more = shards.map((spec) => ({
    ...spec,
    memoryBytesMax: Math.min(
      Number.MAX_SAFE_INTEGER,
      Math.ceil(spec.memoryBytesMax * MEMORY_FACTOR),
    ),
  }));
  return { ...request, shards: more };
}
