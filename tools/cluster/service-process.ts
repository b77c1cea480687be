import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, type WriteStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ShardpoolError } from "../../lib/errors.js";
import { PACKAGE_ROOT } from "../../lib/package-root.js";
import { STOP_WITH_PARENT_VARIABLE } from "../cli/stop-with-parent.js";

const CLI_FILE = join(PACKAGE_ROOT, "dist/tools/main.js");

export interface ServiceProcessOptions {
  /** Stands in messages and file names, for instance `shard-0`. */
  readonly name: string;
  /** The `shardpool` command line, for instance `["shard", "serve", …]`. */
  readonly args: readonly string[];
  /** Where its log goes; appended. */
  readonly logFile: string;
  /** Longest it may be silent before it is ready: every word in its log starts it anew. */
  readonly startTimeoutMs: number;
}

/** A shardpool server running as a process of its own. */
export interface ServiceProcess {
  readonly name: string;
  readonly pid: number;
  /** What the process printed when it could serve; `address` is its real address. */
  readonly ready: {
    readonly address: string;
    readonly httpAddress?: string;
    readonly metricsAddress?: string;
  } & Readonly<Record<string, unknown>>;
  /** Settles when the process has ended: with an error when nobody asked it to. */
  readonly ended: Promise<ShardpoolError | undefined>;
  /** Asks it to drain (SIGTERM) and waits; after `graceMs` it is killed. */
  stop(graceMs: number): Promise<void>;
}

/**
 * Starts a server and waits for its ready line.
 *
 * @throws ShardpoolError PROCESS_FAILED with the last thing it logged, when it ends or falls
 * silent before it is ready.
 */
export async function startServiceProcess(options: ServiceProcessOptions): Promise<ServiceProcess> {
  const log = createWriteStream(options.logFile, { flags: "a" });
  const child = spawn(process.execPath, [CLI_FILE, ...options.args], {
    // The child's end of the stdin pipe closes when this process goes, however it goes.
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, [STOP_WITH_PARENT_VARIABLE]: "1" },
    // Ctrl-C reaches this process alone, which then stops its children in order.
    detached: true,
  });
  const state = { isStopping: false, lastLine: "" };
  forwardLog(child, log, state);
  const ended = waitForEnd(child, options.name, state, log);
  const ready = await readyLine(child, ended, options);
  return {
    name: options.name,
    pid: child.pid!,
    ready,
    ended,
    stop: async (graceMs) => {
      state.isStopping = true;
      await stopChild(child, ended, graceMs);
    },
  };
}

function forwardLog(child: ChildProcess, log: WriteStream, state: { lastLine: string }): void {
  const lines = createInterface({ input: child.stderr! });
  lines.on("line", (line) => {
    if (line.trim() !== "") state.lastLine = line;
    log.write(`${line}\n`);
  });
}

function waitForEnd(
  child: ChildProcess,
  name: string,
  state: { readonly isStopping: boolean; readonly lastLine: string },
  log: WriteStream,
): Promise<ShardpoolError | undefined> {
  return new Promise((resolve) => {
    child.once("error", (error) => {
      log.end();
      resolve(new ShardpoolError("PROCESS_FAILED", `${name} did not start`, { cause: error }));
    });
    child.once("close", (exitCode, signal) => {
      log.end();
      if (state.isStopping) resolve(undefined);
      else {
        const how = signal === null ? `exit code ${exitCode}` : signal;
        const last = state.lastLine === "" ? "" : `, its last words: ${state.lastLine}`;
        resolve(new ShardpoolError("PROCESS_FAILED", `${name} ended (${how})${last}`));
      }
    });
  });
}

async function readyLine(
  child: ChildProcess,
  ended: Promise<ShardpoolError | undefined>,
  { name, startTimeoutMs }: ServiceProcessOptions,
): Promise<ServiceProcess["ready"]> {
  const lines = createInterface({ input: child.stdout! });
  let timer: NodeJS.Timeout | undefined;
  const first = new Promise<string>((resolve) => lines.once("line", resolve));
  const late = new Promise<ShardpoolError>((resolve) => {
    const message = `${name} was not ready and said nothing for ${startTimeoutMs / 1000} s`;
    timer = setTimeout(
      () => resolve(new ShardpoolError("PROCESS_FAILED", message)),
      startTimeoutMs,
    );
  });
  const goOn = (): void => void timer?.refresh();
  child.stderr!.on("data", goOn);
  const outcome = await Promise.race([first, ended, late]);
  child.stderr!.off("data", goOn);
  clearTimeout(timer);
  if (typeof outcome === "string") return parseReadyLine(outcome, name);
  child.kill("SIGKILL");
  await ended;
  throw outcome ?? new ShardpoolError("PROCESS_FAILED", `${name} ended before it was ready`);
}

function parseReadyLine(line: string, name: string): ServiceProcess["ready"] {
  const parsed: unknown = JSON.parse(line);
  if (typeof parsed === "object" && parsed !== null && "address" in parsed) {
    return parsed as ServiceProcess["ready"];
  }
  throw new ShardpoolError("PROCESS_FAILED", `${name} printed ${line} where its address should be`);
}

async function stopChild(
  child: ChildProcess,
  ended: Promise<unknown>,
  graceMs: number,
): Promise<void> {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  await ended;
  clearTimeout(timer);
}
