/**
 * All bags of a batch, feature-major: the layout of PyTorch's EmbeddingBag and TorchRec's
 * KeyedJaggedTensor, and of the wire.
 *
 * For F features and B samples: `lengths[f * B + b]` is the number of row ids of feature f in sample
 * b; `values` holds all bags end to end in the same order, so feature 0's bags of all samples come
 * first. `weights`, where given, has one entry a value.
 */
export interface JaggedBatch {
  readonly featureCount: number;
  readonly sampleCount: number;
  /** `[F * B]`. */
  readonly lengths: Int32Array;
  /** `[N]`, row ids, `N` = sum of `lengths`. */
  readonly values: Int32Array;
  /** `[N]` where the request carries them. */
  readonly weights?: Float32Array;
}

/**
 * Where each feature's values start: `[F + 1]`, the last entry is N.
 * It trusts `lengths`; callers check first that they are not negative and sum to N.
 */
export function featureOffsets(batch: JaggedBatch): Int32Array {
  const offsets = new Int32Array(batch.featureCount + 1);
  let position = 0;
  for (let f = 0; f < batch.featureCount; f++) {
    const end = (f + 1) * batch.sampleCount;
    for (let i = f * batch.sampleCount; i < end; i++) position += batch.lengths[i]!;
    offsets[f + 1] = position;
  }
  return offsets;
}
