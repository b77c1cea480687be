import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hasNaN, largestOf } from "../../../shards/kernels/scan-values.js";

/** Around the vectors of a kernel, the change from loop to kernel, and one chunk and several. */
const COUNTS = [0, 1, 3, 4, 7, 8, 9, 15, 31, 32, 33, 39, 40, 8191, 8192, 8193, 16_387, 24_577];

describe("largestOf()", () => {
  it("finds the largest value wherever it is, of any number of values", () => {
    for (const count of COUNTS) {
      for (const place of placesIn(count)) {
        for (const largest of [8, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
          const values = Uint32Array.from({ length: count }, (_, i) => i % 7);
          values[place] = largest;

          assert.equal(largestOf(values), largest, `${count} values, at ${place}`);
        }
      }
    }
  });

  it("is 0 of no values and of zeros, whatever was looked through before", () => {
    largestOf(new Uint32Array(9000).fill(5));

    for (const count of COUNTS) assert.equal(largestOf(new Uint32Array(count)), 0);
  });
});

describe("hasNaN()", () => {
  it("finds a NaN wherever it is, of any number of values", () => {
    const bits = new Uint32Array([0x7fc00000, 0xffc00000, 0x7f800001]);
    for (const count of COUNTS) {
      for (const place of placesIn(count)) {
        for (const nan of bits) {
          const values = new Float32Array(count).fill(1);
          new Uint32Array(values.buffer)[place] = nan;

          assert.equal(hasNaN(values), true, `${count} values, at ${place}`);
        }
      }
    }
  });

  it("takes no other value for one, whatever was looked through before", () => {
    const others = [0, -0, 1, -1e-45, 3e38, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    hasNaN(new Float32Array(9000).fill(Number.NaN));

    for (const count of COUNTS) {
      assert.equal(
        hasNaN(Float32Array.from({ length: count }, (_, i) => others[i % others.length]!)),
        false,
      );
    }
  });
});

/** The ends, the middle, and both sides of a chunk's end. */
function placesIn(count: number): readonly number[] {
  const places = [0, count >> 1, 8191, 8192, count - 1];
  return [...new Set(places)].filter((place) => place >= 0 && place < count);
}
