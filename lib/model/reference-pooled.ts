import assert from "node:assert/strict";
import { ShardpoolError } from "../errors.js";
import type { JaggedBatch } from "../jagged-batch.js";
import { type ModelFeature, pooledWidthOf } from "./manifest.js";
import type { TableRows, TableSource } from "./model-directory.js";

export interface ReferencePooled {
  /** `[B, ΣE]`: the features' pooled vectors side by side, in feature order. */
  readonly pooled: Float32Array;
  /** Row ids that were out of range and were replaced by the default row, or left out. */
  readonly defaultRowCount: number;
}

/**
 * The slow oracle of pooling, the arithmetic that every engine must meet bit for bit: a bag is summed
 * in bag order, in float32, one accumulator a column; a weighted row adds `fround(acc + fround(w * x))`;
 * a mean is the sum divided by the number of row ids in the bag, those that the feature's policy
 * skips not counted; an empty bag is zeros.
 *
 * It reads one row at a time from the tables' files: for tests and golden requests.
 *
 * @throws ShardpoolError ROW_OUT_OF_RANGE for a row id that is in no row of a feature with the policy
 * `error`; REQUEST_INVALID for weights on a mean feature, or lengths that do not fit.
 */
export function referencePooled(source: TableSource, batch: JaggedBatch): ReferencePooled {
  assertLengths(source, batch);
  const width = pooledWidthOf(source.manifest);
  const pooled = new Float32Array(batch.sampleCount * width);
  let defaultRowCount = 0;
  let column = 0;
  let valueStart = 0;
  for (const [f, feature] of source.manifest.features.entries()) {
    if (batch.weights !== undefined && feature.pooling === "mean") {
      throw new ShardpoolError(
        "REQUEST_INVALID",
        `weights: feature ${feature.name} pools the mean, which takes none`,
      );
    }
    const table = source.openTable(feature.table);
    try {
      const dim = table.table.embeddingDim;
      for (let sample = 0; sample < batch.sampleCount; sample++) {
        const start = sample * width + column;
        const valueEnd = valueStart + batch.lengths[f * batch.sampleCount + sample]!;
        const bag = applyPolicy(batch, valueStart, valueEnd, feature, table.table.rowCount, sample);
        sumBag(table, bag, pooled.subarray(start, start + dim));
        if (feature.pooling === "mean") divide(pooled, start, dim, bag.rowIds.length);
        defaultRowCount += bag.defaultRowCount;
        valueStart = valueEnd;
      }
      column += dim;
    } finally {
      table.close();
    }
  }
  return { pooled, defaultRowCount };
}

interface Bag {
  readonly rowIds: readonly number[];
  /** One a row id; absent when rows are added as they are. */
  readonly weights: readonly number[] | undefined;
  readonly defaultRowCount: number;
}

/** A bag as it is summed: each row id out of range refused, replaced or left out. */
function applyPolicy(
  batch: JaggedBatch,
  valueStart: number,
  valueEnd: number,
  feature: ModelFeature,
  rowCount: number,
  sample: number,
): Bag {
  const rowIds: number[] = [];
  const weights: number[] = [];
  let defaultRowCount = 0;
  for (let i = valueStart; i < valueEnd; i++) {
    let rowId = batch.values[i]!;
    if (rowId < 0 || rowId >= rowCount) {
      if (feature.outOfRange === "error") {
        throw new ShardpoolError(
          "ROW_OUT_OF_RANGE",
          `values: feature ${feature.name}, sample ${sample}: row id ${rowId} is not in [0, ${rowCount})`,
        );
      }
      defaultRowCount++;
      if (feature.outOfRange === "skip") continue;
      rowId = feature.defaultRow!;
    }
    rowIds.push(rowId);
    if (batch.weights !== undefined) weights.push(batch.weights[i]!);
  }
  return { rowIds, weights: batch.weights && weights, defaultRowCount };
}

function sumBag(table: TableRows, { rowIds, weights }: Bag, out: Float32Array): void {
  const row = new Float32Array(table.table.embeddingDim);
  for (const [i, rowId] of rowIds.entries()) {
    table.readRows(Int32Array.of(rowId), row);
    for (let column = 0; column < row.length; column++) {
      const value = row[column]!;
      const term = weights === undefined ? value : Math.fround(weights[i]! * value);
      out[column] = Math.fround(out[column]! + term);
    }
  }
}

function divide(pooled: Float32Array, start: number, dim: number, rowIdCount: number): void {
  if (rowIdCount === 0) return;
  for (let i = start; i < start + dim; i++) pooled[i] = Math.fround(pooled[i]! / rowIdCount);
}

function assertLengths(source: TableSource, batch: JaggedBatch): void {
  const { features } = source.manifest;
  assert.equal(batch.featureCount, features.length);
  assert.equal(batch.lengths.length, features.length * batch.sampleCount);
  let total = 0;
  for (const length of batch.lengths) {
    if (length < 0) throw new ShardpoolError("REQUEST_INVALID", `lengths: ${length} is negative`);
    total += length;
  }
  if (total !== batch.values.length) {
    throw new ShardpoolError(
      "REQUEST_INVALID",
      `lengths: they sum to ${total}, there are ${batch.values.length} values`,
    );
  }
  if (batch.weights !== undefined && batch.weights.length !== batch.values.length) {
    throw new ShardpoolError(
      "REQUEST_INVALID",
      `weights: ${batch.weights.length} for ${batch.values.length} values`,
    );
  }
}
