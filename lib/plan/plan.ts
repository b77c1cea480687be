import { z } from "zod";
import { hashJson } from "../canonical-json.js";
import { parseConfig } from "../config.js";
import { ShardpoolError } from "../errors.js";
import type { ModelManifest, ModelTable } from "../model/manifest.js";

/** Column splits lie on multiples of this, so that every part keeps the kernels' fast path. */
export const COLUMN_SPLIT_MULTIPLE = 16;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256 in hex");
const shardId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/)
  .max(100);
const count = z.int().min(0);

const shardSpecSchema = z
  .strictObject({
    id: shardId,
    /** Bytes of memory for rows, and for what keeps them. */
    memoryBytesMax: count,
    diskBytesMax: count,
    /** Speed relative to the machine that was calibrated. */
    weight: z.number().positive(),
  })
  .readonly();

const costPartsShape = {
  /** Segments and bags, whatever is in them. */
  segmentsUs: z.number().min(0),
  /** Rows found and pooled, from memory or after they were read. */
  rowsUs: z.number().min(0),
  /** Blocks read from disk. */
  blocksUs: z.number().min(0),
  answerUs: z.number().min(0),
};

const partitionSchema = z
  .strictObject({
    /** See `partitionIdOf`. */
    id: z.string().regex(/^[0-9a-f]{16}$/),
    table: z.string(),
    /** Row ids `[rowStart, rowEnd)` of the table. */
    rowStart: count,
    rowEnd: z.int().min(1),
    /** Columns `[columnStart, columnEnd)`. */
    columnStart: count,
    columnEnd: z.int().min(1),
    /** The shards that hold it, each one whole: more than one are replicas. */
    shards: z.array(shardId).min(1).readonly(),
    /** Row bytes of it that each of its shards keeps in memory. */
    cacheBytes: count,
    /** How many of its hottest rows never leave memory. */
    pinnedRows: count,
    /** What the planner expected of it; on each shard that holds it, were all its reads to go there. */
    estimate: z
      .strictObject({
        rowBytes: count,
        /** Row reads of a mean query. */
        rowsPerQuery: z.number().min(0),
        /** Blocks read from disk in a mean query. */
        blocksPerQuery: z.number().min(0),
        costUs: z.number().min(0),
        /** What `costUs` is made of. */
        costParts: z.strictObject(costPartsShape).readonly().optional(),
        /** Row reads expected from memory, of all; null without counts. */
        hitRatio: z.number().min(0).max(1).nullable(),
      })
      .readonly()
      .optional(),
  })
  .readonly();

const qualitySchema = z
  .strictObject({
    /** Samples of the query that estimates are for. */
    querySamples: z.number().positive(),
    /** Where the cost coefficients come from. */
    costSource: z.string(),
    /** The slowest shard's estimate, microseconds. */
    slowestUs: z.number().min(0),
    /** No plan under the same limits has a slowest shard below this, microseconds. */
    boundUs: z.number().min(0),
    /** The argument that proves the bound. */
    boundBy: z.string(),
    /** What other means would make of the slowest shard: plans that were made to see it. */
    outlook: z
      .array(z.strictObject({ change: z.string(), slowestUs: z.number().min(0) }).readonly())
      .readonly()
      .optional(),
  })
  .readonly();

const estimateSchema = z
  .strictObject({
    shard: shardId,
    /** Expected cost of a mean query on this shard, microseconds. */
    costUs: z.number().min(0),
    /** What `costUs` is made of, the shard's weight counted in. */
    costParts: z
      .strictObject({ messageUs: z.number().min(0), ...costPartsShape })
      .readonly()
      .optional(),
    /** Rows looked up in a mean query. */
    rowsPerQuery: z.number().min(0),
    rowBytes: count,
    cacheBytes: count,
    /** Row reads expected from memory, of all; null without miss-ratio curves. */
    hitRatio: z.number().min(0).max(1).nullable(),
  })
  .readonly();

const planSchema = z.strictObject({
  formatVersion: z.literal(1),
  /** Rises with each plan made for a model; answers say which they came from. */
  epoch: z.int().min(1),
  model: z.strictObject({ name: z.string(), version: z.string(), hash: sha256 }).readonly(),
  /** Hash of the statistics the plan was made from; null when there were none. */
  statsHash: sha256.nullable(),
  strategy: z.string(),
  shards: z.array(shardSpecSchema).min(1).readonly(),
  partitions: z.array(partitionSchema).min(1).readonly(),
  estimate: z.array(estimateSchema).readonly(),
  /** How good the planner can prove the plan to be. */
  quality: qualitySchema.optional(),
  /** SHA-256 of all the rest. */
  hash: sha256,
});

/** `plan.json`: which partition is on which shards. Immutable; addresses are not in it. */
export type ShardingPlan = Readonly<z.output<typeof planSchema>>;
export type ShardSpec = ShardingPlan["shards"][number];
export type PlanPartition = ShardingPlan["partitions"][number];
export type ShardEstimate = ShardingPlan["estimate"][number];
export type PlanQuality = NonNullable<ShardingPlan["quality"]>;

/**
 * Checks a list of shard specs, as a file of machines holds it.
 *
 * @throws ShardpoolError CONFIG_INVALID, with every problem found.
 */
export function parseShardSpecs(raw: unknown, what: string): readonly ShardSpec[] {
  const specs = parseConfig(z.array(shardSpecSchema).min(1), raw, what);
  if (new Set(specs.map((spec) => spec.id)).size < specs.length) {
    throw new ShardpoolError("CONFIG_INVALID", `${what}: two shards have one id`);
  }
  return specs;
}

/** What makes two partitions hold the same bytes in the same order. */
export interface PartitionIdentity {
  readonly modelHash: string;
  readonly table: string;
  readonly rowStart: number;
  readonly rowEnd: number;
  readonly columnStart: number;
  readonly columnEnd: number;
  readonly statsHash: string | null;
}

/** The partition's name: a store that has it can serve it under any plan. */
export function partitionIdOf(identity: PartitionIdentity): string {
  const { modelHash, table, rowStart, rowEnd, columnStart, columnEnd, statsHash } = identity;
  return hashJson({
    modelHash,
    table,
    rowStart,
    rowEnd,
    columnStart,
    columnEnd,
    statsHash,
  }).slice(0, 16);
}

/** Adds the hash that makes a plan whole. */
export function sealPlan(plan: Omit<ShardingPlan, "hash">): ShardingPlan {
  return Object.freeze({ ...plan, hash: hashJson(plan) });
}

/**
 * Checks the contents of a `plan.json`: its form, its own hash, and that shards are named that exist.
 *
 * @throws ShardpoolError PLAN_INVALID, or HASH_MISMATCH when the file was changed after it was made.
 */
export function parsePlan(raw: unknown, what = "plan.json"): ShardingPlan {
  const plan = parseConfig(planSchema, raw, what, "PLAN_INVALID");
  const { hash, ...rest } = plan;
  const found = hashJson(rest);
  if (found !== hash) {
    throw new ShardpoolError("HASH_MISMATCH", `${what}: hash is ${found}, the file says ${hash}`);
  }
  const known = new Set(plan.shards.map((shard) => shard.id));
  if (known.size < plan.shards.length) {
    throw new ShardpoolError("PLAN_INVALID", `${what}: two shards have one id`);
  }
  for (const partition of plan.partitions) {
    for (const id of partition.shards) {
      if (!known.has(id)) {
        throw new ShardpoolError(
          "PLAN_INVALID",
          `${what}: partition ${partition.id} is on ${id}, no such shard`,
        );
      }
    }
  }
  return plan;
}

/**
 * Checks that the plan is for this model and holds every row and column of every table exactly once
 * (a replica is a further shard of one partition, not a further partition).
 *
 * @throws ShardpoolError PLAN_MISMATCH for another model, PLAN_INVALID for a gap or an overlap.
 */
export function assertPlanFitsModel(
  plan: ShardingPlan,
  manifest: ModelManifest,
  modelHash: string,
): void {
  if (plan.model.hash !== modelHash) {
    throw new ShardpoolError(
      "PLAN_MISMATCH",
      `the plan is for model ${plan.model.name} version ${plan.model.version} (${plan.model.hash.slice(0, 12)}), ` +
        `this is ${manifest.name} version ${manifest.version} (${modelHash.slice(0, 12)})`,
    );
  }
  const partitionsByTable = groupByTable(plan.partitions);
  for (const table of manifest.tables) {
    assertTableCovered(table, partitionsByTable.get(table.name) ?? []);
    partitionsByTable.delete(table.name);
  }
  const [unknown] = partitionsByTable.keys();
  if (unknown !== undefined) {
    throw new ShardpoolError("PLAN_INVALID", `the plan has table ${unknown}, the model has not`);
  }
}

function groupByTable(partitions: readonly PlanPartition[]): Map<string, PlanPartition[]> {
  const byTable = new Map<string, PlanPartition[]>();
  for (const partition of partitions) {
    const list = byTable.get(partition.table);
    if (list) list.push(partition);
    else byTable.set(partition.table, [partition]);
  }
  return byTable;
}

/** Area proves coverage once no two rectangles overlap and all lie inside the table. */
function assertTableCovered(table: ModelTable, partitions: readonly PlanPartition[]): void {
  let area = 0;
  for (const [index, partition] of partitions.entries()) {
    const { rowStart, rowEnd, columnStart, columnEnd } = partition;
    const inside =
      rowStart < rowEnd &&
      rowEnd <= table.rowCount &&
      columnStart < columnEnd &&
      columnEnd <= table.embeddingDim;
    if (!inside) {
      throw new ShardpoolError(
        "PLAN_INVALID",
        `table ${table.name}: partition ${partition.id} has rows ${rowStart}-${rowEnd} of ${table.rowCount}, columns ${columnStart}-${columnEnd} of ${table.embeddingDim}`,
      );
    }
    const overlapping = partitions.slice(0, index).find((other) => overlaps(partition, other));
    if (overlapping) {
      throw new ShardpoolError(
        "PLAN_INVALID",
        `table ${table.name}: partitions ${overlapping.id} and ${partition.id} overlap`,
      );
    }
    area += (rowEnd - rowStart) * (columnEnd - columnStart);
  }
  const whole = table.rowCount * table.embeddingDim;
  if (area !== whole) {
    throw new ShardpoolError(
      "PLAN_INVALID",
      `table ${table.name}: the plan holds ${area} of its ${whole} values`,
    );
  }
}

function overlaps(a: PlanPartition, b: PlanPartition): boolean {
  return (
    a.rowStart < b.rowEnd &&
    b.rowStart < a.rowEnd &&
    a.columnStart < b.columnEnd &&
    b.columnStart < a.columnEnd
  );
}
