import { z } from "zod";
import { parseConfig } from "../config.js";
import { REUSE_THRESHOLDS } from "./reuse-histogram.js";

/** What `clicks stats` and a running cluster write; version 1 lacked what has a default below. */
export const STATS_FORMAT_VERSION = 2;

const count = z.int().min(0);
const share = z.number().min(0).max(1);

const missRatioCurve = z
  .array(z.strictObject({ rows: count, missRatio: share }).readonly())
  .readonly();

const reuseBinSchema = z
  .strictObject({
    above: z.literal([...REUSE_THRESHOLDS]),
    /** Rows read more than `above` times, and the reads of those rows. */
    rowCount: count,
    readCount: count,
  })
  .readonly();

const tableStatsSchema = z
  .strictObject({
    table: z.string(),
    /** Row reads over the period, repeats counted, before any de-duplication. */
    readCount: count,
    /** Rows read at least once. */
    distinctRowCount: count,
    /** Relative error of `distinctRowCount`, three standard errors; 0 when it is exact. */
    distinctRowError: z.number().min(0).default(0),
    /** Rows of it listed in the counts file, heaviest first; the rest are the tail. */
    listedRowCount: count,
    /** Reads of rows that are not listed. */
    tailReadCount: count,
    /** Largest error of a listed count, in either direction; 0 when counts are exact. */
    countErrorMax: count,
    /** No row that is not listed was read more often; 0 when all are listed, null when unknown. */
    unlistedCountMax: count.nullable().default(null),
    /** Queries that read at least one row; null where queries cannot be told apart. */
    queryCount: count.nullable().default(null),
    /** Cumulative, by falling threshold; bins that the tail could change are left out. */
    reuse: z.array(reuseBinSchema).readonly().default([]),
    /**
     * Share of reads that an LRU cache of `rows` rows misses, by rising `rows`; straight lines
     * between. Beyond the last point only first reads miss.
     */
    missRatioCurve,
    /** Largest absolute error stated for a point of the curve; null when there is none. */
    missRatioError: share.nullable(),
    /**
     * Where the curve comes from: stack distances of all reads (Olken), of a spatially hashed sample
     * of the rows (SHARDS, Waldspurger et al., FAST 2015), or curves that were merged.
     */
    missRatioMethod: z.enum(["none", "exact", "sampled", "merged"]).default("none"),
    /**
     * Share of reads missed when the `rows` most often read rows of this very period stay in memory:
     * no cache whose rows are fixed does better. From the counts; first reads are hits.
     */
    staticMissRatioCurve: missRatioCurve.default([]),
  })
  .readonly();

const bagLengthBinSchema = z
  .strictObject({
    /** Bags of `lengthMin` to `lengthMax` ids, both included. */
    lengthMin: count,
    lengthMax: count,
    bagCount: count,
  })
  .readonly();

const featureStatsSchema = z
  .strictObject({
    feature: z.string(),
    table: z.string(),
    readCount: count,
    /** Mean bag length: row reads a sample. */
    poolingFactor: z.number().min(0),
    bagLengthMax: count,
    emptyBagCount: count,
    /** How many bags have how many ids, by rising length, empty bins left out. */
    bagLengths: z.array(bagLengthBinSchema).readonly().default([]),
  })
  .readonly();

const coAccessSchema = z
  .strictObject({
    /** Queries that read both tables; of all pairs those that chance explains least. */
    pairs: z
      .array(
        z.strictObject({ tables: z.tuple([z.string(), z.string()]), queryCount: count }).readonly(),
      )
      .readonly(),
    /**
     * For a pair that is not listed, the share of queries that read both is within this of the
     * product of the two tables' shares.
     */
    unlistedDeviationMax: share,
  })
  .readonly();

const accessStatsSchema = z.strictObject({
  formatVersion: z.literal([1, STATS_FORMAT_VERSION]),
  model: z.strictObject({ name: z.string(), version: z.string(), hash: z.string() }).readonly(),
  /** What was counted: a click log's SHA-256, or the names of the shards that counted. */
  source: z.string(),
  sampleCount: count,
  queryCount: count,
  tables: z.array(tableStatsSchema).readonly(),
  features: z.array(featureStatsSchema).readonly(),
  /** Which tables the same query reads: what a shard that holds both saves in messages. */
  coAccess: coAccessSchema.nullable().default(null),
  /** The Arrow file beside this one: columns table (dictionary of names), rowId int32, count uint32. */
  counts: z.strictObject({ file: z.string(), sha256: z.string(), rowCount: count }).readonly(),
});

/**
 * The header of access statistics, as `clicks stats` writes it and a running cluster gives it:
 * `NAME.json` beside `NAME.arrow`, which lists (table, rowId, count), heaviest first within a table.
 */
export type AccessStats = Readonly<z.output<typeof accessStatsSchema>>;
export type TableStats = AccessStats["tables"][number];
export type FeatureStats = AccessStats["features"][number];
export type CoAccess = NonNullable<AccessStats["coAccess"]>;
export type BagLengthBin = FeatureStats["bagLengths"][number];
export type MissRatioPoint = TableStats["missRatioCurve"][number];
/** A header before its counts file is written; what has a default may be left out. */
export type AccessStatsDraft = Readonly<
  Omit<z.input<typeof accessStatsSchema>, "counts" | "formatVersion">
>;

/** @throws ShardpoolError STATS_INVALID, with every problem found. */
export function parseAccessStats(raw: unknown, what: string): AccessStats {
  return parseConfig(accessStatsSchema, raw, what, "STATS_INVALID");
}
