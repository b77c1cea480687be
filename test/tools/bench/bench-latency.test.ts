import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { parseLatencyResult } from "../../../tools/bench/load/latency-result.js";
import { runPeakBench } from "../../../tools/bench/load/run-peak-bench.js";
import { ROW_COUNT, writeBenchLog } from "../../support/bench-log.js";
import { FakeInferenceServer } from "../../support/fake-inference-server.js";
import { CLI_FILE, runCli } from "../../support/run-cli.js";
import { tempFolder } from "../../support/temp-folder.js";
import { waitFor } from "../../support/wait-for.js";

const folder = tempFolder();
const files = await writeBenchLog(folder);

describe("shardpool bench latency", { concurrency: 3 }, () => {
  it("prints the report, writes each form of it, and says ✓ for each rule met", async () => {
    const server = await startServer();
    const [json, html, hgrm] = ["r.json", "r.html", "r.hgrm"].map((name) => join(folder, name));

    const { exitCode, stdout, stderr } = await runCli([
      ...commandLine(server, ["--qps", "50", "--seconds", "0.5", "--warmup-seconds", "0.1"]),
      ...["--slo", "p99<30s", "--slo", "errors<1%,degraded<=0%"],
      ...["--json", json!, "--html", html!, "--hgrm", hgrm!],
    ]);

    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, /✓ p99<30s: .*\n✓ errors<1%: 0\.0 %\n✓ degraded<=0%: 0\.0 %/);
    const result = parseLatencyResult(JSON.parse(readFileSync(json!, "utf8")), json!);
    assert.equal(result.answeredCount, 25);
    assert.match(readFileSync(html!, "utf8"), /^<!doctype html>/);
    assert.match(readFileSync(hgrm!, "utf8"), /Total count += +25\]/);
  });

  it("marks the report of an interrupted run as partial", async () => {
    const server = await startServer();
    const child = spawn(process.execPath, [
      CLI_FILE,
      ...commandLine(server, ["--qps", "100", "--seconds", "60", "--warmup-seconds", "0"]),
    ]);
    let stdout = "";
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    await waitFor("some queries", () => server.served.length > 10, 30_000);

    child.kill("SIGINT");

    assert.equal(await ended, 130);
    assert.match(stdout, /PARTIAL: interrupted/);
    assert.match(stdout, /latency +\d/);
  });

  it("reports what it measured of a target that dies, and fails", async () => {
    const server = await startServer();
    const json = join(folder, "lost.json");
    const running = runCli([
      ...commandLine(server, ["--qps", "100", "--seconds", "60", "--warmup-seconds", "0"]),
      ...["--json", json],
    ]);
    await waitFor("some queries", () => server.served.length > 10, 30_000);
    await server.stop();

    const { exitCode, stdout, stderr } = await running;

    assert.equal(exitCode, 1);
    assert.match(stdout, /PARTIAL: the target was lost/);
    assert.match(stderr, /\[TARGET_UNAVAILABLE\]/);
    assert.ok(existsSync(json));
  });

  it("refuses a rule it cannot read, before it sends anything", async () => {
    const server = await startServer();

    const { exitCode, stderr } = await runCli(
      commandLine(server, ["--qps", "10", "--slo", "p98<60ms"]),
    );

    assert.equal(exitCode, 1);
    assert.match(stderr, /\[CONFIG_INVALID\] SLO "p98<60ms" cannot be read/);
    assert.equal(server.arrivedCount, 0);
  });

  it("refuses a log it cannot read and a log for another model", async () => {
    const server = await startServer();
    const garbage = join(folder, "garbage.arrow");
    writeFileSync(garbage, "no log");
    const other = await writeBenchLog(join(folder, "other"));
    const manifest = readFileSync(join(other.modelDir, "model.json"), "utf8");
    const changed = manifest.replaceAll('"rowCount":1000', '"rowCount":999');
    assert.notEqual(changed, manifest);
    writeFileSync(join(other.modelDir, "model.json"), changed);

    const unreadable = await runCli(commandLine(server, ["--qps", "1"], { clicks: garbage }));
    const foreign = await runCli(commandLine(server, ["--qps", "1"], { model: other.modelDir }));

    for (const { exitCode, stderr } of [unreadable, foreign]) {
      assert.equal(exitCode, 1);
      assert.match(stderr, /^shardpool: \[[A-Z_]+\] .*(garbage|clicks)\.arrow/m);
    }
  });
});

describe("runPeakBench()", () => {
  it("climbs to the most it may offer when that meets the SLO, and confirms it", async () => {
    const server = await startServer();
    const purposes: string[] = [];

    const result = await runPeakBench(
      {
        ...{ ...files, target: server.address, seconds: 0.3, warmupSeconds: 0 },
        slo: "errors<1%,p50<20s",
      },
      { qpsStart: 20, qpsMin: 10, qpsMax: 40, tolerance: 0.1, confirmationCount: 1 },
      { onStep: ({ purpose }) => purposes.push(purpose) },
    );

    assert.equal(result.peakQps, 40);
    assert.equal(result.peakSamplesPerSecond, 200);
    assert.deepEqual(purposes, ["climb", "climb", "confirm"]);
    assert.equal(new Set(result.steps.map(({ seed }) => seed)).size, 3);
  });

  it("finds none when no rate meets the SLO", async () => {
    const server = await startServer();

    const result = await runPeakBench(
      { ...files, target: server.address, seconds: 0.2, warmupSeconds: 0, slo: "max<=0.001ms" },
      { qpsStart: 20, qpsMin: 10, qpsMax: 40, tolerance: 0.1, confirmationCount: 1 },
    );

    assert.equal(result.peakQps, null);
    assert.equal(result.steps.length, 2);
  });

  it("asks for a rule", async () => {
    await assert.rejects(
      runPeakBench(
        { ...files, target: "127.0.0.1:1" },
        { qpsStart: 20, qpsMin: 10, qpsMax: 40, tolerance: 0.1, confirmationCount: 1 },
      ),
      { code: "CONFIG_INVALID", message: /--slo/ },
    );
  });
});

async function startServer(
  options: Partial<Parameters<typeof FakeInferenceServer.start>[0]> = {},
): Promise<FakeInferenceServer> {
  const server = await FakeInferenceServer.start({
    modelName: "tiny",
    rowCount: ROW_COUNT,
    ...options,
  });
  after(() => server.stop());
  return server;
}

function commandLine(
  server: FakeInferenceServer,
  flags: readonly string[],
  { model = files.modelDir, clicks = files.clicksFile } = {},
): string[] {
  return [
    ...["bench", "latency", "--target", server.address, "--model", model, "--clicks", clicks],
    ...flags,
  ];
}
