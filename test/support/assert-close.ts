import assert from "node:assert/strict";

/**
 * Every value near the expected one, and as many of them.
 *
 * @param errorMax Absolute limit, or what gives it for an expected value.
 */
export function assertClose(
  actual: Float32Array,
  expected: Float32Array,
  errorMax: number | ((expected: number) => number),
): void {
  assert.equal(actual.length, expected.length);
  for (const [i, wanted] of expected.entries()) {
    const limit = typeof errorMax === "number" ? errorMax : errorMax(wanted);
    const error = Math.abs(actual[i]! - wanted);
    assert.ok(error <= limit, `value ${i} is ${actual[i]}, wanted ${wanted} within ${limit}`);
  }
}
