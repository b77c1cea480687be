import { DTYPES, type Dtype } from "../../../lib/model/dtype.js";
import type { Random } from "../../../lib/random.js";
import { CALIBRATED_DIMS } from "./calibration-model.js";
import type { StreamLookup } from "./shard-stream.js";

/** One kind of lookup: so many segments of so many bags of so many row ids, on one table. */
export interface CalibrationShape {
  readonly dtype: Dtype;
  readonly embeddingDim: number;
  readonly segments: number;
  readonly bags: number;
  readonly idsPerBag: number;
}

/** Row ids are skewed as in a log: `rowCount · u^SKEW`, scattered over the table. */
const SKEW = 3;
/** Odd, so that it reaches every row of a table whose rows are a multiple of ten. */
const SCATTER = 48_271;

/**
 * Lookups from which each cost can be told apart: few ids in many segments and bags for what is paid
 * a message, a segment and a bag; no ids and wide rows for the answer's bytes; many ids for rows.
 */
export const CALIBRATION_SHAPES: readonly CalibrationShape[] = [
  ...[1, 8, 26].flatMap((segments) =>
    [1, 32].map((bags) => shape("float32", 16, segments, bags, 1)),
  ),
  ...CALIBRATED_DIMS.map((dim) => shape("float32", dim, 1, 128, 0)),
  shape("float32", 128, 8, 64, 0),
  ...DTYPES.flatMap((dtype) =>
    CALIBRATED_DIMS.flatMap((dim) => [shape(dtype, dim, 1, 16, 40), shape(dtype, dim, 4, 32, 40)]),
  ),
];

/** Lookups whose rows are mostly not in memory. */
export const MISS_SHAPES: readonly CalibrationShape[] = [
  shape("float32", 64, 1, 4, 10),
  shape("float32", 64, 1, 16, 20),
  shape("float32", 128, 1, 16, 20),
  shape("int8", 64, 1, 16, 20),
];

export function rowsOf({ segments, bags, idsPerBag }: CalibrationShape): number {
  return segments * bags * idsPerBag;
}

export function answerBytesOf({ segments, bags, embeddingDim }: CalibrationShape): number {
  return segments * bags * embeddingDim * Float32Array.BYTES_PER_ELEMENT;
}

export function formatShape(kind: CalibrationShape): string {
  const { dtype, embeddingDim, segments, bags, idsPerBag } = kind;
  return `${dtype} x ${embeddingDim}: ${segments} x ${bags} bags x ${idsPerBag} ids`;
}

/** Draws a lookup of a shape. */
export function drawLookup(
  { segments, bags, idsPerBag }: CalibrationShape,
  partition: number,
  rowCount: number,
  random: Random,
  { isUniform = false } = {},
): StreamLookup {
  return {
    sampleCount: bags,
    segments: Array.from({ length: segments }, () => {
      const values = Uint32Array.from({ length: bags * idsPerBag }, () => {
        if (isUniform) return random.nextBelow(rowCount);
        const rank = Math.floor(rowCount * random.nextFloat() ** SKEW);
        return (rank * SCATTER) % rowCount;
      });
      return {
        partition,
        lengths: bytesOf(new Uint32Array(bags).fill(idsPerBag)),
        values: bytesOf(values),
      };
    }),
  };
}

/** A lookup of the rows `[start, end)`, each in a bag of its own. */
export function sweepLookup(partition: number, start: number, end: number): StreamLookup {
  const values = Uint32Array.from({ length: end - start }, (_, i) => start + i);
  const lengths = bytesOf(new Uint32Array([values.length]));
  return { sampleCount: 1, segments: [{ partition, lengths, values: bytesOf(values) }] };
}

function bytesOf(values: Uint32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function shape(
  dtype: Dtype,
  embeddingDim: number,
  segments: number,
  bags: number,
  idsPerBag: number,
): CalibrationShape {
  return { dtype, embeddingDim, segments, bags, idsPerBag };
}
