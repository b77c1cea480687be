import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { judgeSlo, parseSlo } from "../../../../tools/bench/load/slo.js";

const latencyMs = { p50: 5, p90: 20, p95: 30, p99: 60, p999: 90, max: 100, mean: 8 };
const measured = { latencyMs, errorRatio: 0.01, degradedRatio: 0 };

describe("parseSlo()", () => {
  it("reads times in any unit and shares in per cent", () => {
    const rules = parseSlo("p99<60ms, p99.9<=0.1s ,mean<500us,errors<0.1%,degraded<=5%");

    assert.deepEqual(
      rules.map(({ metric, limit, allowsEqual }) => [metric, limit, allowsEqual]),
      [
        ["p99", 60, false],
        ["p999", 100, true],
        ["mean", 0.5, false],
        ["errors", 0.001, false],
        ["degraded", 0.05, true],
      ],
    );
  });

  for (const text of [
    "",
    "p99",
    "p99<60",
    "p98<60ms",
    "p99>60ms",
    "errors<5ms",
    "p99<5%",
    "p50<-1ms",
  ]) {
    it(`refuses "${text}"`, () => {
      assert.throws(() => parseSlo(text), { code: "CONFIG_INVALID" });
    });
  }
});

describe("judgeSlo()", () => {
  it("tells below from at the limit", () => {
    const verdicts = judgeSlo(
      parseSlo("p99<60ms,p99<=60ms,errors<1%,errors<=1%,p50<60ms"),
      measured,
    );

    assert.deepEqual(
      verdicts.map(({ met }) => met),
      [false, true, false, true, true],
    );
    assert.deepEqual(verdicts[0], { rule: "p99<60ms", value: 60, met: false });
  });

  it("misses a latency rule when nothing was answered", () => {
    const verdicts = judgeSlo(parseSlo("max<1s"), { ...measured, latencyMs: null });

    assert.deepEqual(verdicts, [{ rule: "max<1s", value: null, met: false }]);
  });
});
