import { z } from "zod";
import { parseConfig } from "../config.js";

const count = z.int().min(0);

const tableStatsSchema = z
  .strictObject({
    table: z.string(),
    /** Row reads over the period, repeats counted, before any de-duplication. */
    readCount: count,
    /** Rows read at least once. */
    distinctRowCount: count,
    /** Rows of it listed in the counts file, heaviest first; the rest are the tail. */
    listedRowCount: count,
    /** Reads of rows that are not listed. */
    tailReadCount: count,
    /** Largest error of a listed count; 0 when counts are exact. */
    countErrorMax: count,
    /**
     * Share of reads an LRU cache of `rows` rows would miss, by rising `rows`: an estimate from a
     * spatially hashed sample (SHARDS, Waldspurger et al., FAST 2015).
     */
    missRatioCurve: z
      .array(z.strictObject({ rows: count, missRatio: z.number().min(0).max(1) }).readonly())
      .readonly(),
    /** Largest absolute error stated for the curve; null when there is none. */
    missRatioError: z.number().min(0).max(1).nullable(),
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
  })
  .readonly();

const accessStatsSchema = z.strictObject({
  formatVersion: z.literal(1),
  model: z.strictObject({ name: z.string(), version: z.string(), hash: z.string() }).readonly(),
  /** What was counted: a click log's SHA-256, or the names of the shards that counted. */
  source: z.string(),
  sampleCount: count,
  queryCount: count,
  tables: z.array(tableStatsSchema).readonly(),
  features: z.array(featureStatsSchema).readonly(),
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

/** @throws ShardpoolError STATS_INVALID, with every problem found. */
export function parseAccessStats(raw: unknown, what: string): AccessStats {
  return parseConfig(accessStatsSchema, raw, what, "STATS_INVALID");
}
