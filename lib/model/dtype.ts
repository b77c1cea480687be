/** How a table's rows are stored. A row is one run of bytes, whatever its dtype. */
export const DTYPES = ["float32", "float16", "int8", "int4"] as const;
export type Dtype = (typeof DTYPES)[number];

/** Bytes of scale and bias that a quantised row carries behind its values (FBGEMM's fused rows). */
export const SCALE_BIAS_BYTES: Readonly<Record<Dtype, number>> = {
  float32: 0,
  float16: 0,
  // float32 scale, float32 bias.
  int8: 8,
  // float16 scale, float16 bias.
  int4: 4,
};

const BITS_PER_VALUE: Readonly<Record<Dtype, number>> = {
  float32: 32,
  float16: 16,
  int8: 8,
  int4: 4,
};

/** Bytes of one row of `embeddingDim` values. int4 packs two values a byte, low nibble first. */
export function rowBytesOf(dtype: Dtype, embeddingDim: number): number {
  return Math.ceil((embeddingDim * BITS_PER_VALUE[dtype]) / 8) + SCALE_BIAS_BYTES[dtype];
}
