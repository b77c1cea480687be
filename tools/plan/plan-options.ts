import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import { ShardpoolError } from "../../lib/errors.js";
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
    shardsFile: z.string().optional(),
    shard: z.array(z.string()).max(SHARD_COUNT_MAX).optional(),
    strategy: z.enum(STRATEGY_NAMES),
    memoryBytesPerShard: byteSize.optional(),
    diskBytesPerShard: byteSize.optional(),
    cacheFraction: z.coerce.number().min(0).max(1).optional(),
    constraints: z.string().optional(),
    replicasMax: z.coerce.number().int().min(1).max(SHARD_COUNT_MAX).optional(),
    coefficients: z.string().optional(),
    querySamples: z.coerce.number().positive().max(1_000_000).optional(),
    latencyBoundMs: z.coerce.number().positive().optional(),
    outlook: z.boolean().default(true),
    replaces: z.string().optional(),
    seed: z.coerce.number().int().min(0).default(1),
    json: z.boolean().default(false),
  })
  .refine(({ shards, shardsFile, shard }) => countGiven([shards, shardsFile, shard]) === 1, {
    message: "give one of --shards, --shards-file and --shard",
  })
  .refine(
    (options) => options.memoryBytesPerShard === undefined || options.cacheFraction === undefined,
    { message: "give either --memory-bytes-per-shard or --cache-fraction" },
  )
  .refine(
    ({ shardsFile, shard, memoryBytesPerShard, diskBytesPerShard }) =>
      countGiven([shardsFile, shard]) === 0 ||
      countGiven([memoryBytesPerShard, diskBytesPerShard]) === 0,
    { message: "--shards-file and --shard say the memory and disk of each shard; give them alone" },
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
  const listed = await listedSpecs(options);
  if (listed !== undefined) {
    const memory: MemoryRule =
      fraction === undefined ? { kind: "given" } : { kind: "fraction", fraction };
    return { shards: listed, memory };
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

async function listedSpecs({
  shardsFile,
  shard,
}: PlanMakeOptions): Promise<readonly ShardSpec[] | undefined> {
  if (shardsFile !== undefined) return parseShardSpecs(await readJsonFile(shardsFile), shardsFile);
  if (shard === undefined) return undefined;
  return parseShardSpecs(shard.map(parseShardOption), "--shard");
}

/**
 * One machine on the command line: `ID=MEMORY:DISK:WEIGHT`, sizes as in `8GiB`; the disk may be empty
 * for no limit, and the weight left out for 1.
 */
function parseShardOption(text: string): unknown {
  const match = /^([^=]+)=([^:]+):([^:]*)(?::([^:]+))?$/.exec(text);
  if (match === null) {
    throw new ShardpoolError(
      "CONFIG_INVALID",
      `--shard ${text}: must be ID=MEMORY:DISK[:WEIGHT], for instance shard-0=8GiB:100GiB:1`,
    );
  }
  const [, id, memory = "", disk = "", weight = "1"] = match;
  const bytesOf = (size: string): number => parseConfig(byteSize, size, `--shard ${text}`);
  return {
    id,
    memoryBytesMax: bytesOf(memory),
    diskBytesMax: disk === "" ? Number.MAX_SAFE_INTEGER : bytesOf(disk),
    weight: Number(weight),
  };
}

function countGiven(options: readonly unknown[]): number {
  return options.filter((option) => option !== undefined).length;
}
