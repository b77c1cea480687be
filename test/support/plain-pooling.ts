import type { LookupSegment } from "../../shards/index.js";

/** A partition's rows as a plain loop sees them. */
export interface PlainPartition {
  /** The whole table, `[rowCount][embeddingDim]`. */
  readonly table: Float32Array;
  readonly embeddingDim: number;
  readonly rowStart: number;
  readonly columnStart: number;
  readonly columnEnd: number;
}

/** The sums of a segment's bags by the definition: bag order, float32, product rounded first. */
export function poolByPlainLoop(segment: LookupSegment, partition: PlainPartition): Float32Array {
  const { table, embeddingDim, rowStart, columnStart, columnEnd } = partition;
  const columnCount = columnEnd - columnStart;
  const sums = new Float32Array(segment.lengths.length * columnCount);
  let at = 0;
  segment.lengths.forEach((length, bag) => {
    for (let i = 0; i < length; i++, at++) {
      const row = (rowStart + segment.values[at]!) * embeddingDim + columnStart;
      for (let column = 0; column < columnCount; column++) {
        const value = table[row + column]!;
        const term = segment.weights ? Math.fround(segment.weights[at]! * value) : value;
        sums[bag * columnCount + column] = sums[bag * columnCount + column]! + term;
      }
    }
  });
  return sums;
}
