import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { readProcessUsage, UsageMeter } from "../../../../tools/bench/load/process-usage.js";

describe("readProcessUsage()", () => {
  it("agrees with what the process knows of itself", () => {
    const { user, system } = process.cpuUsage();

    const usage = readProcessUsage(process.pid);

    assert.ok(usage !== undefined);
    // The kernel's counters move in hundredths of a second.
    assert.ok(Math.abs(usage.cpuSeconds - (user + system) / 1e6) < 0.1);
    assert.ok(usage.memoryPeakBytes >= process.memoryUsage().rss);
  });

  it("gives nothing for a process that is not there", async () => {
    const child = spawn(process.execPath, ["-e", ""]);
    await once(child, "exit");

    assert.equal(readProcessUsage(child.pid!), undefined);
  });
});

describe("UsageMeter", () => {
  it("keeps what a process spent before it ended", async () => {
    const child = spawn(process.execPath, ["-e", "process.stdin.resume()"]);
    await once(child, "spawn");
    const meter = new UsageMeter({ child: child.pid!, nobody: 2 ** 22 + 1 });
    meter.start();
    meter.sample();
    child.kill("SIGKILL");
    await once(child, "exit");
    meter.sample();

    const { cpuSecondsByProcess, memoryPeakBytesByProcess } = meter.result();

    assert.deepEqual(Object.keys(cpuSecondsByProcess), ["child"]);
    assert.ok(Object.values(memoryPeakBytesByProcess).every((bytes) => bytes > 0));
  });
});
