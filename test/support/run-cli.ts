import { spawn } from "node:child_process";
import { join } from "node:path";
import { PACKAGE_ROOT } from "../../lib/package-root.js";

export const CLI_FILE = join(PACKAGE_ROOT, "dist/tools/main.js");

export interface CliResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one `shardpool` command line as a user would, to its end. */
export function runCli(args: readonly string[], { timeoutMs = 60_000 } = {}): Promise<CliResult> {
  const child = spawn(process.execPath, [CLI_FILE, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    output.stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    output.stderr += chunk.toString();
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  return new Promise((resolve) => {
    child.once("close", (exitCode) => {
      clearTimeout(timer);
      resolve({ exitCode, ...output });
    });
  });
}
