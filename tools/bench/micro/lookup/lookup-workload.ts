import type { Dtype } from "../../../../lib/model/dtype.js";
import { Random } from "../../../../lib/random.js";
import type { LookupRequest } from "../../../../shards/index.js";
import { RowScatter } from "../../../clicks/row-scatter.js";
import { ZipfRanks } from "../../../clicks/zipf-ranks.js";

/** What is looked up: a model of equal tables, and batches over all of them. */
export interface LookupWorkload {
  readonly tableCount: number;
  readonly rowCount: number;
  readonly embeddingDim: number;
  readonly dtype: Dtype;
  readonly sampleCount: number;
  /** Row ids a bag. */
  readonly bagLength: number;
  /** Bags of one table in a sample; features that share it. */
  readonly featuresPerTable: number;
  /** How unequal reads of rows are; 0 is uniform. */
  readonly zipfExponent: number;
}

/** The workload of the memory tier's budget (one of DeepRecSys' shapes, with the tables of Criteo). */
export const HOT_WORKLOAD: LookupWorkload = {
  tableCount: 26,
  rowCount: 100_000,
  embeddingDim: 64,
  dtype: "float32",
  sampleCount: 128,
  bagLength: 20,
  featuresPerTable: 1,
  zipfExponent: 1.05,
};

/** One large partition, read evenly: nothing but memory helps. */
export const RANDOM_WORKLOAD: LookupWorkload = {
  ...HOT_WORKLOAD,
  tableCount: 1,
  // 1 GiB of rows of 256 bytes.
  rowCount: 4 * 1024 * 1024,
  featuresPerTable: 8,
  zipfExponent: 0,
};

/** A share of a workload's rows, for a quick look. */
export function scaleWorkload(workload: LookupWorkload, scale: number): LookupWorkload {
  return { ...workload, rowCount: Math.max(1, Math.round(workload.rowCount * scale)) };
}

/** Rows one batch reads, repeats counted. */
export function rowsPerBatch(workload: LookupWorkload): number {
  const { tableCount, featuresPerTable, sampleCount, bagLength } = workload;
  return tableCount * featuresPerTable * sampleCount * bagLength;
}

/**
 * Seeded batches; partition t is table t, whole. Which rows are hot is a fixed random order of the
 * row ids, another for every table, so hot rows are no neighbours by id.
 *
 * @param stream Other draws of the same rows' heats.
 */
export function drawBatches(
  workload: LookupWorkload,
  batchCount: number,
  seed: number,
  stream = "lookups",
): LookupRequest[] {
  const { tableCount, rowCount, sampleCount, bagLength, featuresPerTable, zipfExponent } = workload;
  const random = new Random(seed, stream);
  const ranks = zipfExponent === 0 ? undefined : new ZipfRanks(rowCount, zipfExponent);
  const scatters = Array.from({ length: tableCount }, (_, t) => new RowScatter(rowCount, seed + t));
  const drawRow = (table: number): number =>
    ranks === undefined ? random.nextBelow(rowCount) : scatters[table]!.rowAt(ranks.next(random));
  return Array.from({ length: batchCount }, () => ({
    sampleCount,
    segments: Array.from({ length: tableCount * featuresPerTable }, (_, i) => {
      const partition = Math.floor(i / featuresPerTable);
      const lengths = new Uint32Array(sampleCount).fill(bagLength);
      const values = new Uint32Array(sampleCount * bagLength);
      for (let at = 0; at < values.length; at++) values[at] = drawRow(partition);
      return { partition, lengths, values };
    }),
  }));
}
