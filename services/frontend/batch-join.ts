import { featureOffsets, type JaggedBatch } from "../../lib/jagged-batch.js";
import type { Query } from "./query.js";

/** Some neighbouring samples of a query: all of a small one. */
export interface QueryPiece {
  readonly query: Query;
  readonly sampleStart: number;
  readonly sampleCount: number;
}

/** What goes through the shards and the dense part in one go. */
export interface ModelBatch {
  readonly sampleCount: number;
  /** `[B, D]`. */
  readonly denseFeatures: Float32Array;
  readonly batch: JaggedBatch;
}

/**
 * Puts the samples of pieces end to end, in order. A lone whole query is given back as it is.
 * Where some pieces have weights, the others get ones, which change no bit of a sum.
 */
export function joinPieces(pieces: readonly QueryPiece[]): ModelBatch {
  const first = pieces[0]!;
  if (pieces.length === 1 && first.sampleCount === first.query.sampleCount) return first.query;
  const sampleCount = pieces.reduce((sum, piece) => sum + piece.sampleCount, 0);
  return { sampleCount, denseFeatures: joinDense(pieces), batch: joinBags(pieces, sampleCount) };
}

function joinDense(pieces: readonly QueryPiece[]): Float32Array {
  const parts = pieces.map(({ query, sampleStart, sampleCount }) => {
    const width = query.denseFeatures.length / query.sampleCount;
    return query.denseFeatures.subarray(sampleStart * width, (sampleStart + sampleCount) * width);
  });
  const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    joined.set(part, position);
    position += part.length;
  }
  return joined;
}

function joinBags(pieces: readonly QueryPiece[], sampleCount: number): JaggedBatch {
  const { featureCount } = pieces[0]!.query.batch;
  const ranges = pieces.map(valueRangesOf);
  const valueCount = ranges.reduce((sum, range) => sum + range.valueCount, 0);
  const hasWeights = pieces.some(({ query }) => query.batch.weights !== undefined);
  const lengths = new Int32Array(featureCount * sampleCount);
  const values = new Int32Array(valueCount);
  const weights = hasWeights ? new Float32Array(valueCount).fill(1) : undefined;
  let lengthPosition = 0;
  let valuePosition = 0;
  for (let f = 0; f < featureCount; f++) {
    for (const [index, piece] of pieces.entries()) {
      const { batch } = piece.query;
      const bag = f * batch.sampleCount + piece.sampleStart;
      lengths.set(batch.lengths.subarray(bag, bag + piece.sampleCount), lengthPosition);
      lengthPosition += piece.sampleCount;
      const start = ranges[index]!.starts[f]!;
      const end = ranges[index]!.ends[f]!;
      values.set(batch.values.subarray(start, end), valuePosition);
      if (batch.weights) weights!.set(batch.weights.subarray(start, end), valuePosition);
      valuePosition += end - start;
    }
  }
  return { featureCount, sampleCount, lengths, values, ...(weights && { weights }) };
}

interface ValueRanges {
  /** `[F]` each: where the piece's values of a feature start and end. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly valueCount: number;
}

function valueRangesOf({ query, sampleStart, sampleCount }: QueryPiece): ValueRanges {
  const { featureCount, lengths, sampleCount: bagCount } = query.batch;
  const offsets = featureOffsets(query.batch);
  const starts = offsets.slice(0, featureCount);
  const ends = offsets.slice(1);
  let valueCount = 0;
  for (let f = 0; f < featureCount; f++) {
    const firstBag = f * bagCount;
    for (let b = 0; b < sampleStart; b++) starts[f]! += lengths[firstBag + b]!;
    for (let b = sampleStart + sampleCount; b < bagCount; b++) ends[f]! -= lengths[firstBag + b]!;
    valueCount += ends[f]! - starts[f]!;
  }
  return { starts, ends, valueCount };
}
