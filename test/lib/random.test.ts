import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "../../lib/random.js";

function take(count: number, draw: () => number): number[] {
  return Array.from({ length: count }, draw);
}

describe("Random", () => {
  it("gives the same stream for the same seed and name", () => {
    const a = new Random(7, "labels");
    const b = new Random(7, "labels");

    assert.deepEqual(
      take(100, () => a.nextUint32()),
      take(100, () => b.nextUint32()),
    );
  });

  it("gives other streams for another seed, another name, or a seed above 32 bits", () => {
    const streams = [
      new Random(7, "labels"),
      new Random(8, "labels"),
      new Random(7, "rows"),
      new Random(7 + 2 ** 32, "labels"),
    ].map((random) => take(4, () => random.nextUint32()).join());

    assert.equal(new Set(streams).size, streams.length);
  });

  it("spreads floats evenly over [0, 1)", () => {
    const random = new Random(1);
    const counts = new Array<number>(16).fill(0);
    for (let i = 0; i < 160_000; i++) counts[Math.floor(random.nextFloat() * 16)]!++;

    // 10,000 expected a bin, standard deviation 97: five of them allowed.
    for (const count of counts) assert.ok(Math.abs(count - 10_000) < 485, `bin of ${count}`);
  });

  it("draws normals with mean 0 and variance 1", () => {
    const random = new Random(2);
    const values = take(100_000, () => random.nextNormal());
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;

    assert.ok(Math.abs(mean) < 0.02, `mean ${mean}`);
    assert.ok(Math.abs(variance - 1) < 0.03, `variance ${variance}`);
  });

  it("stays below its limit and reaches both ends", () => {
    const random = new Random(3);
    const seen = new Set(take(1000, () => random.nextBelow(5)));

    assert.deepEqual([...seen].toSorted(), [0, 1, 2, 3, 4]);
  });

  it("shuffles without losing a value", () => {
    const values = Int32Array.from({ length: 1000 }, (_, i) => i);

    new Random(4).shuffle(values);

    assert.notDeepEqual([...values.subarray(0, 10)], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.deepEqual(
      [...values.toSorted()],
      Array.from({ length: 1000 }, (_, i) => i),
    );
  });
});
