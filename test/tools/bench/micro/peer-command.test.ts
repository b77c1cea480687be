import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { peerContender } from "../../../../tools/bench/micro/peer-command.js";

describe("peerContender()", () => {
  it("takes the last JSON line with a value, whatever else is printed", async () => {
    const peer = peerOf(
      `echo warming up; echo '{"value": 1}'; echo '{"value": 2.5, "unit": "rows/s"}'; echo '{"note": "no value"}'; echo done`,
    );

    assert.deepEqual(await peer.turn(1), { value: 2.5 });
  });

  it("tells the program how long to measure, what, and with which seed", async () => {
    const peer = peerOf(
      `test "$SHARDPOOL_BENCH_UNIT $SHARDPOOL_BENCH_SEED $SHARDPOOL_BENCH_CASE" = "rows/s 7 scattered" && echo "{\\"value\\": $SHARDPOOL_BENCH_SECONDS}"`,
    );

    assert.deepEqual(await peer.turn(0.25), { value: 0.25 });
  });

  it("refuses a program that fails, even when it printed a line", async () => {
    await assert.rejects(peerOf(`echo '{"value": 1}'; exit 3`).turn(1), {
      code: "PROCESS_FAILED",
      detail: /ended with exit code 3/,
    });
  });

  it("refuses a program that does not exist", async () => {
    await assert.rejects(peerOf("no-such-peer-program 2>&1").turn(1), { code: "PROCESS_FAILED" });
  });

  for (const printed of ["", "12", "{", '{"value": "fast"}', '{"value": 0}', "[1]"]) {
    it(`refuses a program that prints ${printed === "" ? "nothing" : printed}`, async () => {
      await assert.rejects(peerOf(`echo '${printed}'`).turn(1), {
        code: "PROCESS_FAILED",
        detail: /printed no line/,
      });
    });
  }

  it("refuses another unit", async () => {
    await assert.rejects(peerOf(`echo '{"value": 1, "unit": "ms"}'`).turn(1), {
      code: "CONFIG_INVALID",
      detail: /measures ms, the benchmark rows\/s/,
    });
  });
});

function peerOf(command: string) {
  return peerContender(command, { unit: "rows/s", case: "scattered" }, 7);
}
