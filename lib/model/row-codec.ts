import assert from "node:assert/strict";
import { ShardpoolError } from "../errors.js";
import { type Dtype, rowBytesOf } from "./dtype.js";
import { float16ToFloat32, float32ToFloat16 } from "./float16.js";

/**
 * Turns stored rows into float32 values. Quantised values are `fround(fround(q * scale) + bias)`, so
 * that every reader of a table, in every language, sees the same bits.
 *
 * @param bytes Whole rows end to end, at any alignment, in the layout of `encodeRows`.
 * @param out `[rows, embeddingDim]`.
 */
export function decodeRows(
  dtype: Dtype,
  embeddingDim: number,
  bytes: Uint8Array,
  out: Float32Array,
): void {
  assertSameRows(dtype, embeddingDim, bytes, out);
  switch (dtype) {
    case "float32":
      // Bytes to bytes: a Float32Array view of `bytes` would want it aligned.
      new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(bytes);
      return;
    case "float16":
      for (let i = 0, at = 0; i < out.length; i++, at += 2) {
        out[i] = float16ToFloat32(bytes[at]! | (bytes[at + 1]! << 8));
      }
      return;
    case "int8":
      decodeInt8(embeddingDim, bytes, out);
      return;
    case "int4":
      decodeInt4(embeddingDim, bytes, out);
      return;
  }
}

function decodeInt8(embeddingDim: number, bytes: Uint8Array, out: Float32Array): void {
  const view = viewOf(bytes);
  const rowBytes = rowBytesOf("int8", embeddingDim);
  for (let row = 0, to = 0; to < out.length; row += rowBytes, to += embeddingDim) {
    const scale = view.getFloat32(row + embeddingDim, true);
    const bias = view.getFloat32(row + embeddingDim + 4, true);
    for (let i = 0; i < embeddingDim; i++) {
      out[to + i] = Math.fround(bytes[row + i]! * scale) + bias;
    }
  }
}

function decodeInt4(embeddingDim: number, bytes: Uint8Array, out: Float32Array): void {
  const view = viewOf(bytes);
  const rowBytes = rowBytesOf("int4", embeddingDim);
  const packedBytes = Math.ceil(embeddingDim / 2);
  for (let row = 0, to = 0; to < out.length; row += rowBytes, to += embeddingDim) {
    const scale = float16ToFloat32(view.getUint16(row + packedBytes, true));
    const bias = float16ToFloat32(view.getUint16(row + packedBytes + 2, true));
    for (let i = 0; i < embeddingDim; i++) {
      const quantised = (bytes[row + (i >> 1)]! >> ((i & 1) << 2)) & 15;
      out[to + i] = Math.fround(quantised * scale) + bias;
    }
  }
}

/**
 * Stores float32 rows as a dtype, each row for itself. Quantised rows have FBGEMM's fused layout and
 * its arithmetic (`FloatOrHalfToFused8BitRowwiseQuantizedSBFloat` and `…NBitRowwiseQuantizedSBHalf`):
 * the row's minimum is the bias, its range divided by 255 or 15 the scale.
 *
 * - float32, float16: the values, little-endian; float16 rounds to nearest, ties to even.
 * - int8: `dim` unsigned bytes, float32 scale, float32 bias.
 * - int4: `ceil(dim / 2)` bytes of two values, the low nibble first, float16 scale, float16 bias.
 *
 * @param values `[rows, embeddingDim]`.
 * @param out `[rows, rowBytesOf(dtype, embeddingDim)]`.
 * @param rowStart Row id of the first row, for messages.
 * @throws ShardpoolError MODEL_INVALID naming the row, when the dtype cannot hold its values: not
 *   finite, or beyond float16's 65504.
 */
export function encodeRows(
  dtype: Dtype,
  embeddingDim: number,
  values: Float32Array,
  out: Uint8Array,
  rowStart = 0,
): void {
  assertSameRows(dtype, embeddingDim, out, values);
  const encodeRow = ROW_ENCODERS[dtype];
  const rowBytes = rowBytesOf(dtype, embeddingDim);
  const view = viewOf(out);
  for (let row = 0, start = 0; start < values.length; row++, start += embeddingDim) {
    if (!encodeRow(values.subarray(start, start + embeddingDim), view, row * rowBytes)) {
      throw new ShardpoolError(
        "MODEL_INVALID",
        `row ${rowStart + row} cannot be stored as ${dtype}: a value is not finite or too large`,
      );
    }
  }
}

/** Writes one row at byte `to`; false when the dtype cannot hold it. */
type RowEncoder = (row: Float32Array, out: DataView, to: number) => boolean;

const ROW_ENCODERS: Readonly<Record<Dtype, RowEncoder>> = {
  float32: encodeFloat32,
  float16: encodeFloat16,
  int8: encodeInt8,
  int4: encodeInt4,
};

function encodeFloat32(row: Float32Array, out: DataView, to: number): boolean {
  for (let i = 0; i < row.length; i++) {
    if (!Number.isFinite(row[i])) return false;
    out.setFloat32(to + i * 4, row[i]!, true);
  }
  return true;
}

function encodeFloat16(row: Float32Array, out: DataView, to: number): boolean {
  for (let i = 0; i < row.length; i++) {
    const bits = float32ToFloat16(row[i]!);
    if (!isFiniteFloat16(bits)) return false;
    out.setUint16(to + i * 2, bits, true);
  }
  return true;
}

/** Keeps the scale of a constant row from being infinite. */
const INT8_EPSILON = Math.fround(1e-8);

function encodeInt8(row: Float32Array, out: DataView, to: number): boolean {
  const { min, max } = minMaxOf(row);
  const range = Math.fround(max - min);
  // A NaN in the row makes the range one.
  if (!Number.isFinite(range)) return false;
  const inverseScale = Math.fround(255 / Math.fround(range + INT8_EPSILON));
  for (let i = 0; i < row.length; i++) {
    out.setUint8(to + i, roundHalfEven(Math.fround(Math.fround(row[i]! - min) * inverseScale)));
  }
  out.setFloat32(to + row.length, range / 255, true);
  out.setFloat32(to + row.length + 4, min, true);
  return true;
}

function encodeInt4(row: Float32Array, out: DataView, to: number): boolean {
  const { min, max } = minMaxOf(row);
  const biasBits = float32ToFloat16(min);
  // Values are measured from the bias as it is stored, so that its rounding costs no accuracy.
  const bias = float16ToFloat32(biasBits);
  const scaleBits = int4ScaleBits(Math.fround(max - bias));
  if (!isFiniteFloat16(biasBits) || !isFiniteFloat16(scaleBits)) return false;
  const inverseScale = Math.fround(1 / float16ToFloat32(scaleBits));
  const packedBytes = Math.ceil(row.length / 2);
  for (let i = 0; i < packedBytes; i++) {
    const low = quantiseInt4(row[2 * i]!, bias, inverseScale);
    const high = 2 * i + 1 < row.length ? quantiseInt4(row[2 * i + 1]!, bias, inverseScale) : 0;
    out.setUint8(to + i, low | (high << 4));
  }
  out.setUint16(to + packedBytes, scaleBits, true);
  out.setUint16(to + packedBytes + 2, biasBits, true);
  return true;
}

const ONE_FLOAT16 = 0x3c00;

/** The scale as float16; 1 for a range so small that its scale rounds to 0, as for a constant row. */
function int4ScaleBits(range: number): number {
  const bits = float32ToFloat16(Math.fround(range / 15));
  return bits === 0 || range === 0 ? ONE_FLOAT16 : bits;
}

function quantiseInt4(value: number, bias: number, inverseScale: number): number {
  const scaled = Math.fround(Math.fround(value - bias) * inverseScale);
  return Math.max(0, Math.min(15, roundHalfEven(scaled)));
}

/** Both NaN when the row holds a NaN. */
function minMaxOf(row: Float32Array): { min: number; max: number } {
  let min = row[0]!;
  let max = min;
  for (let i = 1; i < row.length; i++) {
    min = Math.min(min, row[i]!);
    max = Math.max(max, row[i]!);
  }
  return { min, max };
}

/** 1.5 x 2^23: float32 numbers of this size step by 1, so that adding it rounds as float32 does. */
const ROUNDER = 12582912;

/** To the nearest whole number, ties to even, as C's `lrintf`; for magnitudes below 2^22. */
function roundHalfEven(value: number): number {
  return Math.fround(value + ROUNDER) - ROUNDER;
}

function isFiniteFloat16(bits: number): boolean {
  return (bits & 0x7c00) !== 0x7c00;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function assertSameRows(
  dtype: Dtype,
  embeddingDim: number,
  bytes: Uint8Array,
  values: Float32Array,
): void {
  const rowCount = values.length / embeddingDim;
  assert.ok(Number.isInteger(rowCount), `${values.length} values in rows of ${embeddingDim}`);
  assert.equal(bytes.length, rowCount * rowBytesOf(dtype, embeddingDim));
}
