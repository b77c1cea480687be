import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ShardpoolError } from "../../../lib/errors.js";
import { PACKAGE_ROOT } from "../../../lib/package-root.js";
import { STOP_WITH_PARENT_VARIABLE } from "../../cli/stop-with-parent.js";
import type { MicroBench, MicroResult } from "./micro-bench.js";
import type { MicroOptions } from "./run-in-process.js";

const CLI_FILE = join(PACKAGE_ROOT, "dist/tools/main.js");

/**
 * Runs a benchmark in a process of its own: no other benchmark's heap, compiled code or threads are
 * in its way. What it says on standard error goes to ours.
 *
 * @param onResult Called with each result as it is there.
 * @throws ShardpoolError PROCESS_FAILED with the last thing it said, when it does not end well.
 */
export async function runMicroBench(
  bench: MicroBench,
  options: MicroOptions,
  onResult: (result: MicroResult) => void,
): Promise<void> {
  const args = [CLI_FILE, "bench", "micro", bench.name, "--in-process"];
  args.push("--seconds", String(options.seconds), "--seed", String(options.seed));
  args.push("--scale", String(options.scale));
  args.push("--dir", options.cacheDir);
  if (options.peerCommand !== undefined) args.push("--peer-command", options.peerCommand);
  const child = spawn(process.execPath, args, {
    // The child's end of the stdin pipe closes when this process goes, however it goes.
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, [STOP_WITH_PARENT_VARIABLE]: "1" },
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith("{")) onResult(JSON.parse(line) as MicroResult);
  });
  let failure = "";
  createInterface({ input: child.stderr }).on("line", (line) => {
    // Its own last word comes again in our error, with the benchmark's name.
    if (line.startsWith("shardpool: ")) failure = line.slice("shardpool: ".length);
    else console.error(line);
  });
  const [exitCode, signal] = await new Promise<[number | null, string | null]>(
    (resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, by) => resolve([code, by]));
    },
  );
  if (exitCode === 0) return;
  const end = exitCode === null ? `ended by ${signal}` : `exit code ${exitCode}`;
  throw new ShardpoolError(
    "PROCESS_FAILED",
    `benchmark ${bench.name}: ${failure === "" ? end : failure}`,
  );
}
