/** Set by a command that starts servers: each ends when the command is gone, however it went. */
export const STOP_WITH_PARENT_VARIABLE = "SHARDPOOL_STOP_WITH_PARENT";

/**
 * Ends this process as SIGTERM would when its standard input closes, if its parent asked for that
 * in the environment: the parent holds the other end of the pipe, and even `kill -9` closes it.
 */
export function stopWithParent(): void {
  if (process.env[STOP_WITH_PARENT_VARIABLE] !== "1") return;
  process.stdin.resume();
  // Waiting for the end of the pipe must not keep alive a process that has done its work.
  process.stdin.unref();
  process.stdin.once("close", () => process.kill(process.pid, "SIGTERM"));
  process.stdin.once("end", () => process.kill(process.pid, "SIGTERM"));
}
