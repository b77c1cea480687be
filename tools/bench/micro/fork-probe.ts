import { fork } from "node:child_process";
import { ShardpoolError } from "../../../lib/errors.js";

/**
 * Runs a program of ours as a process of its own; it finds its task as JSON in its first argument and
 * sends one message.
 *
 * @throws ShardpoolError PROCESS_FAILED when it ends without.
 */
export function forkProbe<Result>(
  file: string,
  task: object,
  execArgv: readonly string[] = [],
): Promise<Result> {
  const child = fork(file, [JSON.stringify(task)], { execArgv: [...execArgv] });
  const end = (): void => void child.kill("SIGKILL");
  process.once("exit", end);
  return new Promise<Result>((resolve, reject) => {
    let result: Result | undefined;
    child.once("message", (message) => {
      result = message as Result;
    });
    child.once("error", reject);
    // Not before it has ended: what it has mapped, the kernel keeps.
    child.once("exit", (exitCode, signal) => {
      if (result !== undefined) resolve(result);
      const how = signal ?? `exit code ${exitCode}`;
      reject(new ShardpoolError("PROCESS_FAILED", `${file} ended without a result (${how})`));
    });
  }).finally(() => process.off("exit", end));
}
