import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import { readJsonFile } from "../../lib/files.js";
import { parseShardSpecs, type ShardSpec } from "../../lib/plan/plan.js";
import type { MemoryRule } from "../../services/planner/give-memory.js";
import { STRATEGIES, type Strategy } from "../../services/planner/strategy.js";
import { byteSize } from "../cli/parse-bytes.js";

/** More shards than this on one query would spend their time on messages. */
const SHARD_COUNT_MAX = 1024;

const STRATEGY_NAMES = Object.keys(STRATEGIES) as [Strategy, ...Strategy[]];

const makeOptionsSchema = z
  .strictObject({
    model: z.string(),
    out: z.string(),
    stats: z.string().optional(),
    shards: z.coerce.number().int().min(1).max(SHARD_COUNT_MAX).optional(),
    shardSpecs: z.string().optional(),
    strategy: z.enum(STRATEGY_NAMES),
    memoryBytesPerShard: byteSize.optional(),
    diskBytesPerShard: byteSize.optional(),
    cacheFraction: z.coerce.number().min(0).max(1).optional(),
    coefficients: z.string().optional(),
    querySamples: z.coerce.number().positive().max(1_000_000).optional(),
    replaces: z.string().optional(),
    seed: z.coerce.number().int().min(0).default(1),
    json: z.boolean().default(false),
  })
  .refine((options) => (options.shards === undefined) !== (options.shardSpecs === undefined), {
    message: "give either --shards or --shard-specs",
  })
  .refine(
    (options) => options.memoryBytesPerShard === undefined || options.cacheFraction === undefined,
    { message: "give either --memory-bytes-per-shard or --cache-fraction" },
  )
  .refine(
    (options) =>
      options.shardSpecs === undefined ||
      (options.memoryBytesPerShard === undefined && options.diskBytesPerShard === undefined),
    { message: "--shard-specs says the memory and disk of each shard; give it alone" },
  );

export type PlanMakeOptions = z.output<typeof makeOptionsSchema>;

/** @throws ShardpoolError CONFIG_INVALID, with every problem found. */
export function parseMakeOptions(raw: unknown): PlanMakeOptions {
  return parseConfig(makeOptionsSchema, raw, "plan make");
}

/** The shards to plan for and how their memory is given out. */
export async function readShardSpecs(
  options: PlanMakeOptions,
): Promise<{ readonly shards: readonly ShardSpec[]; readonly memory: MemoryRule }> {
  const fraction = options.cacheFraction;
  if (options.shardSpecs !== undefined) {
    const shards = parseShardSpecs(await readJsonFile(options.shardSpecs), options.shardSpecs);
    const memory: MemoryRule =
      fraction === undefined ? { kind: "given" } : { kind: "fraction", fraction };
    return { shards, memory };
  }
  const shards = Array.from({ length: options.shards ?? 1 }, (_, i) => ({
    id: `shard-${i}`,
    memoryBytesMax: options.memoryBytesPerShard ?? Number.MAX_SAFE_INTEGER,
    diskBytesMax: options.diskBytesPerShard ?? Number.MAX_SAFE_INTEGER,
    weight: 1,
  }));
  const memory: MemoryRule =
    options.memoryBytesPerShard === undefined
      ? { kind: "fraction", fraction: fraction ?? 1 }
      : { kind: "given" };
  return { shards, memory };
}
