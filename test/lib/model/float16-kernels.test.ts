import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { float16ToFloat32, float32ToFloat16 } from "../../../lib/model/float16.js";
import { float16sToFloat32s, float32sToFloat16s } from "../../../lib/model/float16-kernels.js";

const ALL_WORDS = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

describe("float16sToFloat32s()", () => {
  it("gives every bit pattern the value that one alone has", () => {
    const values = new Float32Array(ALL_WORDS.length);

    float16sToFloat32s(ALL_WORDS, values);

    for (const [bits, value] of values.entries()) {
      assert.ok(Object.is(value, float16ToFloat32(bits)), `bits ${bits.toString(16)}: ${value}`);
    }
  });
});

describe("float32sToFloat16s()", () => {
  it("rounds what lies at, between and around all neighbours as one alone is rounded", () => {
    for (const step of [-1, 0, 1]) {
      const bits = new Uint32Array(2 * 65536);
      // Exponents of float16 and 1 beyond on either side, each with its ties.
      for (let i = 0; i < bits.length; i++) bits[i] = (i << 12) + 0x30000000 + step;
      assertRounded(new Float32Array(bits.buffer));
    }
  });

  it("rounds any bits of any count as one alone is rounded, and writes nothing else", () => {
    const anyBits = fc.uint32Array({ maxLength: 9000, size: "max" });
    fc.assert(
      fc.property(anyBits, (bits) =>
        assertRounded(new Float32Array(Uint32Array.from(bits).buffer)),
      ),
      { numRuns: 200, seed: 1 },
    );
  });

  it("takes back what it gave, for any count", () => {
    for (const count of [0, 1, 7, 8, 9, 4095, 4096, 4097, 8192, 10_001]) {
      const halves = ALL_WORDS.slice(0, count);
      const values = new Float32Array(count);
      const back = new Uint16Array(count + 1).fill(0xabcd);

      float16sToFloat32s(halves, values);
      float32sToFloat16s(values, back);

      assert.deepEqual(back.subarray(0, count), halves);
      assert.equal(back[count], 0xabcd);
    }
  });
});

function assertRounded(values: Float32Array): void {
  const halves = new Uint16Array(values.length + 1).fill(0xabcd);
  float32sToFloat16s(values, halves);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const expected = float32ToFloat16(value);
    // A NaN read as a number may change its payload, not what it is.
    if (Number.isNaN(value)) assert.ok(Number.isNaN(float16ToFloat32(halves[i]!)));
    else assert.equal(halves[i], expected, `${value}`);
  }
  assert.equal(halves[values.length], 0xabcd);
}
