import { z } from "zod";
import { hashJson } from "../../lib/canonical-json.js";
import { DTYPES } from "../../lib/model/dtype.js";
import { CLASS_COUNT_MAX } from "./row-classes.js";

/** Rises when a store of the old form can no longer be read. */
export const STORE_FORMAT_VERSION = 2;

const count = z.int().min(0);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const storedPartitionSchema = z
  .strictObject({
    /** Place in the store, from 0. */
    number: count,
    /** The plan's name for it, see `partitionIdOf`. */
    id: z.string(),
    table: z.string(),
    rowStart: count,
    rowEnd: z.int().min(1),
    columnStart: count,
    columnEnd: z.int().min(1),
    dtype: z.enum(DTYPES),
    /** Bytes of one row: its columns, and scale and bias where the dtype has them. */
    rowBytes: z.int().min(1),
    rowsPerBlock: z.int().min(1),
    /** Blocks `[firstBlock, firstBlock + blockCount)` of the store hold its rows in placement order. */
    firstBlock: count,
    blockCount: z.int().min(1),
    /** Rows of each class in placement order, see `RowClasses`; null when rows lie in row-id order. */
    classRowCounts: z.array(count).length(CLASS_COUNT_MAX).readonly().nullable(),
  })
  .readonly();

export const storeCatalogSchema = z
  .strictObject({
    formatVersion: z.literal(STORE_FORMAT_VERSION),
    shardId: z.string(),
    modelName: z.string(),
    modelVersion: z.string(),
    modelHash: sha256,
    /** Hash of the statistics behind the placement order; null when built without. */
    statsHash: sha256.nullable(),
    partitions: z.array(storedPartitionSchema).readonly(),
  })
  .readonly();

/** What a shard store says about itself. */
export type StoreCatalog = z.output<typeof storeCatalogSchema>;
export type StoredPartition = StoreCatalog["partitions"][number];

/** Guards the catalog as CRC-32 guards the blocks; it stands in the metadata beside it. */
export function hashCatalog(catalog: StoreCatalog): string {
  return hashJson(catalog);
}
