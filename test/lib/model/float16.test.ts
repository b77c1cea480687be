import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { float16ToFloat32, float32ToFloat16 } from "../../../lib/model/float16.js";

const BIT_PATTERNS = 65536;

/** A float16's value from its three fields, as IEEE 754 defines it. */
function valueByDefinition(bits: number): number {
  const sign = bits >= 0x8000 ? "-" : "";
  const exponent = Math.floor((bits % 0x8000) / 1024);
  const fraction = bits % 1024;
  if (exponent === 31) return fraction === 0 ? Number(`${sign}Infinity`) : Number.NaN;
  const magnitude =
    exponent === 0 ? fraction / 16777216 : ((1024 + fraction) * 2 ** exponent) / 33554432;
  return sign === "-" ? -magnitude : magnitude;
}

describe("float16ToFloat32()", () => {
  it("gives every bit pattern its value", () => {
    for (let bits = 0; bits < BIT_PATTERNS; bits++) {
      assert.ok(
        Object.is(float16ToFloat32(bits), valueByDefinition(bits)),
        `bits ${bits.toString(16)}: ${float16ToFloat32(bits)}`,
      );
    }
  });
});

describe("float32ToFloat16()", () => {
  it("gives every float16 back its bits", () => {
    for (let bits = 0; bits < BIT_PATTERNS; bits++) {
      const value = valueByDefinition(bits);
      if (Number.isNaN(value)) continue;

      assert.equal(float32ToFloat16(value), bits);
    }
  });

  it("rounds what lies between two neighbours to the nearer, a tie to the even one", () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const low = valueByDefinition(bits);
      const high = valueByDefinition(bits + 1);
      const middle = (low + high) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;

      assert.equal(float32ToFloat16(middle), even, `tie above ${bits.toString(16)}`);
      assert.equal(float32ToFloat16(nextFloat32(middle, -1)), bits);
      assert.equal(float32ToFloat16(nextFloat32(middle, 1)), bits + 1);
      assert.equal(float32ToFloat16(-middle), even | 0x8000);
    }
  });

  it("turns what is nearer to 65536 than to 65504 into an infinity, the tie included", () => {
    assert.equal(float32ToFloat16(nextFloat32(65520, -1)), 0x7bff);
    assert.equal(float32ToFloat16(65520), 0x7c00);
    assert.equal(float32ToFloat16(-1e30), 0xfc00);
    assert.equal(float32ToFloat16(Number.POSITIVE_INFINITY), 0x7c00);
  });

  it("keeps a NaN one, whatever its payload", () => {
    const payloads = Uint32Array.of(0x7f800001, 0x7fc00000, 0xff801fff, 0xffffffff);

    for (const value of new Float32Array(payloads.buffer)) {
      const bits = float32ToFloat16(value);

      assert.equal(bits & 0x7c00, 0x7c00);
      assert.notEqual(bits & 0x3ff, 0);
    }
  });

  it("rounds the smallest float32 values to zeros of their sign", () => {
    assert.equal(float32ToFloat16(2 ** -149), 0);
    assert.equal(float32ToFloat16(-(2 ** -149)), 0x8000);
    assert.equal(float32ToFloat16(2 ** -25), 0);
    assert.equal(float32ToFloat16(nextFloat32(2 ** -25, 1)), 1);
  });
});

/** The float32 one step away from a positive float32. */
function nextFloat32(value: number, step: 1 | -1): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer);
  bits[0]! += step;
  return new Float32Array(bits.buffer)[0]!;
}
