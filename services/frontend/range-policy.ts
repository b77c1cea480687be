import { ShardpoolError } from "../../lib/errors.js";
import { featureOffsets, type JaggedBatch } from "../../lib/jagged-batch.js";
import type { ModelManifest } from "../../lib/model/manifest.js";

export interface RangeCheckedBatch {
  /** Every value of it is a row of its feature's table. */
  readonly batch: JaggedBatch;
  /** Ids that were out of range and were replaced by the default row, or left out. */
  readonly defaultRowCount: number;
}

/** What happens to ids that are no row of their feature's table, before anything is routed. */
export class RangePolicy {
  readonly #features: ModelManifest["features"];
  readonly #rowCounts: readonly number[];

  constructor(manifest: ModelManifest) {
    const rowCounts = new Map(manifest.tables.map((table) => [table.name, table.rowCount]));
    this.#features = manifest.features;
    this.#rowCounts = manifest.features.map((feature) => rowCounts.get(feature.table)!);
  }

  /**
   * Applies each feature's `outOfRange`. It takes the batch over: `values` may change in place.
   *
   * @throws ShardpoolError ROW_OUT_OF_RANGE naming feature, sample and id.
   */
  apply(batch: JaggedBatch): RangeCheckedBatch {
    const offsets = featureOffsets(batch);
    let defaultRowCount = 0;
    let skippedCount = 0;
    for (let f = 0; f < batch.featureCount; f++) {
      const feature = this.#features[f]!;
      const rowCount = this.#rowCounts[f]!;
      const end = offsets[f + 1]!;
      for (let i = offsets[f]!; i < end; i++) {
        // As unsigned, a negative id is above every rowCount.
        if (batch.values[i]! >>> 0 < rowCount) continue;
        if (feature.outOfRange === "error") throw outOfRange(batch, f, i, feature.name, rowCount);
        if (feature.outOfRange === "default") {
          batch.values[i] = feature.defaultRow!;
          defaultRowCount++;
        } else {
          batch.values[i] = SKIPPED;
          skippedCount++;
        }
      }
    }
    if (skippedCount === 0) return { batch, defaultRowCount };
    return {
      batch: withoutSkipped(batch, skippedCount),
      defaultRowCount: defaultRowCount + skippedCount,
    };
  }
}

/** Marks a value to leave out; no row id is negative. */
const SKIPPED = -1;

function outOfRange(
  batch: JaggedBatch,
  featureIndex: number,
  valueIndex: number,
  featureName: string,
  rowCount: number,
): ShardpoolError {
  const id = batch.values[valueIndex]!;
  let bag = 0;
  for (let end = batch.lengths[0]!; end <= valueIndex; end += batch.lengths[bag]!) bag++;
  const sample = bag - featureIndex * batch.sampleCount;
  const shown = id < 0 ? "is negative or above 2147483647" : `${id} is not below ${rowCount}`;
  return new ShardpoolError(
    "ROW_OUT_OF_RANGE",
    `values: feature ${featureName}, sample ${sample}: row id ${shown}`,
  );
}

function withoutSkipped(batch: JaggedBatch, skippedCount: number): JaggedBatch {
  const lengths = new Int32Array(batch.lengths.length);
  const values = new Int32Array(batch.values.length - skippedCount);
  const weights = batch.weights && new Float32Array(values.length);
  let position = 0;
  let kept = 0;
  for (let bag = 0; bag < lengths.length; bag++) {
    const start = kept;
    const end = position + batch.lengths[bag]!;
    for (; position < end; position++) {
      const value = batch.values[position]!;
      if (value === SKIPPED) continue;
      values[kept] = value;
      if (weights) weights[kept] = batch.weights![position]!;
      kept++;
    }
    lengths[bag] = kept - start;
  }
  return { ...batch, lengths, values, ...(weights && { weights }) };
}
