import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import type { MicroResult } from "../../../../tools/bench/micro/micro-bench.js";
import { MICRO_BENCHES } from "../../../../tools/bench/micro/registry.js";
import { runCli } from "../../../support/run-cli.js";
import { tempFolder } from "../../../support/temp-folder.js";

const QUICK = ["--scale", "0.001", "--seconds", "0.02"];

describe("shardpool bench micro", () => {
  it("lists every benchmark, each with a name of its own", async () => {
    const { exitCode, stdout } = await runCli(["bench", "micro", "--list", "--json"]);

    const listed = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { name: string });
    assert.equal(exitCode, 0);
    assert.deepEqual(
      listed,
      MICRO_BENCHES.map(({ name, summary }) => ({ name, summary })),
    );
    assert.equal(new Set(listed.map(({ name }) => name)).size, listed.length);
  });

  it("prints a line of JSON a result and leaves nothing of the run behind", async () => {
    const dir = tempFolder();

    const { exitCode, stdout, stderr } = await runCli([
      ...["bench", "micro", "lookup-hot", ...QUICK, "--dir", dir, "--json"],
    ]);

    assert.equal(exitCode, 0, stderr);
    const results = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as MicroResult);
    assert.ok(results.length > 0);
    for (const result of results) {
      const { name, unit, value, baseline, ratio, correct } = result;
      assert.deepEqual(
        { name, unit, correct },
        { name: "lookup-hot", unit: "rows/s", correct: true },
      );
      assert.ok(value > 0 && baseline.value > 0 && baseline.name !== "");
      assert.equal(ratio, value / baseline.value);
      assert.equal(result["scale"], 0.001);
    }
    assert.deepEqual(
      readdirSync(dir).filter((name) => name.includes("run")),
      [],
    );
  });

  it("proves benchmarks of other workloads and dtypes right", async () => {
    const names = ["lookup-random", "lookup-int8"];

    const { exitCode, stdout, stderr } = await runCli(
      ["bench", "micro", ...names, ...QUICK, "--dir", tempFolder(), "--json"],
      { timeoutMs: 180_000 },
    );

    assert.equal(exitCode, 0, stderr);
    const results = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as MicroResult);
    assert.deepEqual([...new Set(results.map(({ name }) => name))], names);
    assert.ok(results.every(({ correct, ratio }) => correct && ratio > 0));
  });

  it("takes a peer's line as the baseline and shows a table", async () => {
    const { exitCode, stdout, stderr } = await runCli([
      ...["bench", "micro", "lookup-hot", ...QUICK, "--dir", tempFolder()],
      ...["--peer-command", `echo '{"value": 1000, "unit": "rows/s"}'`],
    ]);

    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, /^benchmark .*\n/);
    assert.match(stdout, /1\.00e\+3|1000/);
    assert.match(stdout, /peer: echo/);
  });

  it("fails with the peer's failure", async () => {
    const { exitCode, stdout, stderr } = await runCli([
      ...["bench", "micro", "lookup-hot", ...QUICK, "--dir", tempFolder(), "--json"],
      ...["--peer-command", "exit 9"],
    ]);

    assert.equal(exitCode, 1);
    assert.equal(stdout, "");
    assert.match(stderr, /PROCESS_FAILED.*benchmark lookup-hot: .*exit code 9/);
  });

  for (const [args, detail] of [
    [[], /name a benchmark/],
    [["lookup-warm"], /no benchmark lookup-warm; there are lookup-hot/],
    [["lookup-hot", "--seconds", "0"], /seconds/],
    [["lookup-hot", "--scale", "2"], /scale/],
  ] as const) {
    it(`refuses: bench micro ${args.join(" ")}`, async () => {
      const { exitCode, stderr } = await runCli(["bench", "micro", ...args]);

      assert.equal(exitCode, 1);
      assert.match(stderr, /CONFIG_INVALID/);
      assert.match(stderr, detail);
    });
  }
});
