import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { blocksMissedAt, convexHull } from "../../../services/planner/miss-curve.js";

const point = fc.record({
  bytes: fc.integer({ min: 0, max: 1000 }),
  blocks: fc.integer({ min: 0, max: 1000 }),
});

describe("convexHull()", () => {
  it("leaves out a point above the line between its neighbours", () => {
    const hull = convexHull([
      { bytes: 0, blocks: 10 },
      { bytes: 10, blocks: 9 },
      { bytes: 20, blocks: 0 },
    ]);

    assert.deepEqual(hull, [
      { bytes: 0, blocks: 10 },
      { bytes: 20, blocks: 0 },
    ]);
  });

  it("leaves out points where more memory misses more", () => {
    const hull = convexHull([
      { bytes: 0, blocks: 10 },
      { bytes: 10, blocks: 2 },
      { bytes: 20, blocks: 3 },
    ]);

    assert.deepEqual(hull, [
      { bytes: 0, blocks: 10 },
      { bytes: 10, blocks: 2 },
    ]);
  });

  it("falls ever more slowly and lies below every point", () => {
    fc.assert(
      fc.property(fc.array(point, { minLength: 1, maxLength: 30 }), (points) => {
        const hull = convexHull(points);

        const slopes = hull
          .slice(1)
          .map((b, i) => (b.blocks - hull[i]!.blocks) / (b.bytes - hull[i]!.bytes));
        assert.ok(slopes.every((slope, i) => slope < 0 && (i === 0 || slope > slopes[i - 1]!)));
        for (const { bytes, blocks } of points) {
          assert.ok(blocksMissedAt(hull, bytes) <= blocks + 1e-9);
        }
      }),
    );
  });
});

describe("blocksMissedAt()", () => {
  const curve = convexHull([
    { bytes: 0, blocks: 12 },
    { bytes: 100, blocks: 2 },
    { bytes: 300, blocks: 0 },
  ]);

  it("lies on straight lines between points", () => {
    assert.equal(blocksMissedAt(curve, 50), 7);
    assert.equal(blocksMissedAt(curve, 200), 1);
  });

  it("misses nothing once everything is in memory", () => {
    assert.equal(blocksMissedAt(curve, 5000), 0);
  });

  it("misses nothing where nothing is read", () => {
    assert.equal(blocksMissedAt([], 0), 0);
  });
});
