import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assertCorrect } from "../../../../tools/bench/micro/assert-correct.js";
import { measureInTurns, summarise } from "../../../../tools/bench/micro/measure-in-turns.js";
import type { Comparison, TurnValue } from "../../../../tools/bench/micro/micro-bench.js";
import { rateContender } from "../../../../tools/bench/micro/rate-contender.js";

describe("measureInTurns()", () => {
  it("lets both sides take turns, after one short turn each, and compares the medians", async () => {
    const order: string[] = [];
    // The first value of each is the warm-up's.
    const subjectValues = [999, 30, 10, 20];
    const baselineValues = [999, 4, 2, 60];

    const result = await measureInTurns(
      "part",
      comparison(
        () => ({ value: take("subject", subjectValues), cpuValue: 7 }),
        () => ({ value: take("baseline", baselineValues), cpuValue: 2 }),
      ),
      1,
      3,
    );

    assert.deepEqual(order, [
      ...["subject", "baseline"],
      ...["subject", "baseline", "subject", "baseline", "subject", "baseline"],
    ]);
    assert.equal(result.value, 20);
    assert.deepEqual(result.baseline, { name: "baseline", value: 4 });
    assert.equal(result.ratio, 5);
    assert.equal(result.cpuRatio, 3.5);
    assert.deepEqual(result.spread, { value: [0.75, 1.25], baseline: [0.75, 8] });
    assert.equal(result["extra"], 24);

    function take(name: string, values: number[]): number {
      order.push(name);
      return values.shift()!;
    }
  });

  it("leaves the ratio by processor time out where a side has none", async () => {
    const result = await measureInTurns(
      "part",
      comparison(
        () => ({ value: 1, cpuValue: 1 }),
        () => ({ value: 1 }),
      ),
      1,
      1,
    );

    assert.equal("cpuRatio" in result, false);
  });
});

describe("summarise()", () => {
  it("takes the middle of an even count", () => {
    assert.deepEqual(summarise([4, 1, 3, 2]), { median: 2.5, quartiles: [0.7, 1.3] });
  });
});

describe("rateContender()", () => {
  it("counts the work of whole pieces over the time they took", async () => {
    let pieces = 0;
    const { value, cpuValue } = await rateContender("piece", () => {
      pieces++;
      return 5;
    }).turn(0.005);

    assert.ok(pieces > 0);
    // A turn ends with the piece that passes its end, so it is at least as long as asked.
    assert.ok(value > 0 && value <= (pieces * 5) / 0.005, `${value}`);
    assert.ok(cpuValue! > 0);
  });
});

describe("assertCorrect()", () => {
  it("names the benchmarks whose result was wrong, once each", () => {
    const result = (name: string, correct: boolean) => ({
      ...{ name, correct, unit: "rows/s", better: "higher" as const, value: 1, ratio: 1 },
      baseline: { name: "plain", value: 1 },
    });

    assert.doesNotThrow(() => assertCorrect([result("a", true)]));
    assert.throws(
      () => assertCorrect([result("a", true), result("b", false), result("b", false)]),
      { code: "BENCHMARK_INCORRECT", detail: /^b: / },
    );
  });
});

function comparison(subject: () => TurnValue, baseline: () => TurnValue): Comparison {
  return {
    ...{ unit: "rows/s", better: "higher", correct: true },
    subject: { name: "subject", turn: async () => subject() },
    baseline: { name: "baseline", turn: async () => baseline() },
    details: (value, base) => ({ extra: value + base }),
  };
}
