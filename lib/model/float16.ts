const floatScratch = new Float32Array(1);
const bitsScratch = new Uint32Array(floatScratch.buffer);

/** Smallest magnitude that rounds to infinity: halfway from the largest float16, 65504, to 65536. */
const INFINITE_FROM = 0x477ff000;
/** 2^-14, the smallest normal float16. */
const NORMAL_FROM = 0x38800000;
const INFINITY_BITS = 0x7f800000;
/** Exponent biases differ by 112: 127 of float32, 15 of float16. */
const BIAS_DIFFERENCE = 112;

/**
 * A float32 value as the bits of the nearest float16, ties to even, as IEEE 754 rounds. Too large a
 * value becomes an infinity; a NaN stays one.
 */
export function float32ToFloat16(value: number): number {
  floatScratch[0] = value;
  const bits = bitsScratch[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  // The quiet bit keeps a NaN from turning into an infinity when its payload is cut.
  if (magnitude > INFINITY_BITS) return sign | 0x7e00 | ((magnitude >>> 13) & 0x1ff);
  if (magnitude >= INFINITE_FROM) return sign | 0x7c00;
  if (magnitude < NORMAL_FROM) {
    // Below 1, float32 steps in [0.5, 1) are 2^-24, float16's smallest: the sum rounds for us.
    floatScratch[0] = Math.abs(value) + 0.5;
    return sign | (bitsScratch[0]! - 0x3f000000);
  }
  // Half a unit less one, and one for an odd last bit: a tie goes to the even neighbour.
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded >>> 13) - (BIAS_DIFFERENCE << 10));
}

/** The value of a float16 given as its bits; every one is a float32 too. */
export function float16ToFloat32(bits: number): number {
  return VALUES[bits & 0xffff]!;
}

/** All float16 values by their bits: 256 KiB, faster to read than to work out. */
const VALUES = Float32Array.from({ length: 65536 }, (_, bits) => decode(bits));

function decode(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
