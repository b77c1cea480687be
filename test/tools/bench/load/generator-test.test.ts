import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatGeneratorVerdict } from "../../../../tools/bench/load/format-generator.js";
import { climb } from "../../../../tools/bench/load/generator-test.js";

/** A generator that holds rates up to a limit. */
const holds = (limit: number) => async (qps: number) => ({ qps, held: qps <= limit });

describe("climb()", () => {
  it("doubles until a rate is not held", async () => {
    assert.deepEqual(await climb(null, holds(2500)), [
      { qps: 500, held: true },
      { qps: 1000, held: true },
      { qps: 2000, held: true },
      { qps: 4000, held: false },
    ]);
  });

  it("halves when the first is not held", async () => {
    const steps = await climb(800, holds(250));

    assert.deepEqual(
      steps.map(({ qps }) => qps),
      [800, 400, 200],
    );
  });

  it("goes no further than four times the rate that is wanted", async () => {
    const steps = await climb(100, holds(1e9));

    assert.deepEqual(
      steps.map(({ qps }) => qps),
      [100, 200, 400],
    );
  });
});

describe("formatGeneratorVerdict()", () => {
  it("says so when a run asks for more than the generator holds", () => {
    assert.match(
      formatGeneratorVerdict({ qpsHeld: 200, qpsWanted: 800 }),
      /^✗ .*200.*below the 800/,
    );
    assert.match(formatGeneratorVerdict({ qpsHeld: 800, qpsWanted: 800 }), /^✓/);
    assert.match(formatGeneratorVerdict({ qpsHeld: 0, qpsWanted: 800 }), /^✗ .*none/);
  });
});
