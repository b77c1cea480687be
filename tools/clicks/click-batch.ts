/** One feature's bags of a run of samples. */
export interface BagColumn {
  /**
   * `[B + 1]`: the bag of sample i is `rowIds[offsets[i] … offsets[i + 1])`. The first may be above
   * 0: a slice of a longer log keeps its offsets.
   */
  readonly offsets: Int32Array;
  readonly rowIds: Int32Array;
  /** One a row id, where the log has them. */
  readonly weights?: Float32Array;
}

/** A run of samples as a click log holds them, column by column. Arrays may be views: read only. */
export interface ClickBatch {
  readonly sampleCount: number;
  /** `[B]`, query number of each sample; samples of one query are neighbours. */
  readonly queries: Int32Array;
  /** `[B]`, milliseconds since 1970-01-01 UTC. */
  readonly timestampsMs: Float64Array;
  /** `[B]`, 1 for a click. */
  readonly labels: Uint8Array;
  /** `[B * D]`, sample by sample. */
  readonly dense: Float32Array;
  /** One a feature, in the model's order. */
  readonly features: readonly BagColumn[];
}

/** Samples `[start, end)` of a batch, without copying. */
export function sliceClickBatch(batch: ClickBatch, start: number, end: number): ClickBatch {
  const denseWidth = batch.sampleCount === 0 ? 0 : batch.dense.length / batch.sampleCount;
  return {
    sampleCount: end - start,
    queries: batch.queries.subarray(start, end),
    timestampsMs: batch.timestampsMs.subarray(start, end),
    labels: batch.labels.subarray(start, end),
    dense: batch.dense.subarray(start * denseWidth, end * denseWidth),
    features: batch.features.map((column) => ({
      ...column,
      offsets: column.offsets.subarray(start, end + 1),
    })),
  };
}
