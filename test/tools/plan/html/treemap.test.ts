import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { layTreemap } from "../../../../tools/plan/html/treemap.js";

const area = { x: 10, y: 20, width: 300, height: 200 };

describe("layTreemap()", () => {
  it("gives each item its share of the area, inside it and beside the others", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 40 }),
        (sizes) => {
          const placed = layTreemap(sizes, (size) => size, area);

          const total = sizes.reduce((sum, size) => sum + size, 0);
          assert.equal(placed.length, sizes.length);
          for (const [i, a] of placed.entries()) {
            const share = (a.width * a.height) / (area.width * area.height);
            assert.ok(
              Math.abs(share - a.item / total) < 1e-9,
              `${share} for ${a.item} of ${total}`,
            );
            assert.ok(a.x >= area.x - 1e-6 && a.x + a.width <= area.x + area.width + 1e-6);
            assert.ok(a.y >= area.y - 1e-6 && a.y + a.height <= area.y + area.height + 1e-6);
            for (const b of placed.slice(i + 1)) {
              const wide = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
              const high = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
              assert.ok(Math.min(wide, high) < 1e-6, "two rectangles overlap");
            }
          }
        },
      ),
    );
  });

  it("keeps four equal items square", () => {
    const square = { x: 0, y: 0, width: 100, height: 100 };

    const placed = layTreemap([1, 1, 1, 1], (size) => size, square);

    assert.deepEqual(
      placed.map(({ width, height }) => [width, height]),
      [
        [50, 50],
        [50, 50],
        [50, 50],
        [50, 50],
      ],
    );
  });

  it("leaves out what has no size", () => {
    assert.equal(layTreemap([0, 3], (size) => size, area).length, 1);
    assert.deepEqual(
      layTreemap([0], (size) => size, area),
      [],
    );
  });
});
