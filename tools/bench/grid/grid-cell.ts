import { createHash } from "node:crypto";
import { z } from "zod";
import type { GridOptions } from "./grid-options.js";

const latency = z
  .strictObject({ p50: z.number(), p90: z.number(), p99: z.number(), mean: z.number() })
  .readonly();

const sideSchema = z
  .strictObject({
    /** Runs merged. */
    queryCount: z.int(),
    failedCount: z.int(),
    latencyMs: latency,
    /** CPU time a query of all processes but the client, and of each. */
    cpuMs: z.number(),
    cpuMsByProcess: z.record(z.string(), z.number()).readonly(),
    memoryPeakBytesByProcess: z.record(z.string(), z.number()).readonly(),
    hitRatio: z.number().nullable(),
    /** Mean milliseconds a query by stage; null when the answers told none. */
    stagesMs: z.record(z.string(), z.number()).readonly().nullable(),
  })
  .readonly();

/** What the runs of one configuration measured, merged. */
export type GridSide = z.output<typeof sideSchema>;

const measuredSchema = z
  .strictObject({
    status: z.literal("measured"),
    key: z.string(),
    strategy: z.string(),
    shardCount: z.int(),
    /** Shards that hold a partition: the messages of a query. */
    shardsUsed: z.int(),
    partitionCount: z.int(),
    /** The planner's estimate of the slowest shard for its mean query, microseconds. */
    estimateUs: z.number(),
    cluster: sideSchema,
    /** The same stores' rows in one process, in turns with the cluster. */
    single: sideSchema,
    /** Cluster over single process: the median of the rounds' own ratios. */
    overhead: z
      .strictObject({ p50: z.number(), p90: z.number(), p99: z.number(), cpu: z.number() })
      .readonly(),
    /** Smallest and largest of the rounds' own ratios of p50: the run-to-run spread. */
    p50RatioRange: z.strictObject({ low: z.number(), high: z.number() }).readonly(),
  })
  .readonly();

const refusedSchema = z
  .strictObject({
    status: z.enum(["refused", "failed"]),
    key: z.string(),
    strategy: z.string(),
    shardCount: z.int(),
    /** The planner's or the cluster's own words. */
    reason: z.string(),
  })
  .readonly();

export const cellSchema = z.discriminatedUnion("status", [measuredSchema, refusedSchema]);
export type GridCell = z.output<typeof cellSchema>;
export type MeasuredCell = z.output<typeof measuredSchema>;

/** One configuration to measure. */
export interface CellName {
  readonly strategy: string;
  readonly shardCount: number;
}

/**
 * What a kept cell must have been measured with to stand for another run: files by their hashes, and
 * every option that changes what is measured.
 */
export function cellKey(
  { strategy, shardCount }: CellName,
  options: GridOptions,
  fileHashes: readonly string[],
): string {
  const { seconds, warmupSeconds, rounds, seed, cacheFraction } = options;
  const parts = [strategy, shardCount, seconds, warmupSeconds, rounds, seed, cacheFraction];
  return createHash("sha256")
    .update(JSON.stringify([parts, fileHashes]))
    .digest("hex");
}
