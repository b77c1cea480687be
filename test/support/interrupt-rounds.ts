import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "../../lib/random.js";
import { CLI_FILE } from "./run-cli.js";
import { waitFor } from "./wait-for.js";

/** How a command may end after Ctrl-C: in order, or with the shell's code for it. */
const EXIT_CODES = [0, 130];
/** What a cluster may take to drain, on a busy machine. */
const EXIT_TIMEOUT_MS = 30_000;

export interface InterruptRounds {
  /** The command, given the folder it may write to. */
  readonly args: (folder: string) => readonly string[];
  readonly folder: string;
  readonly rounds: number;
  /** The moments of Ctrl-C are drawn from 0 to this. */
  readonly delayMsMax: number;
  readonly random: Random;
}

/**
 * Starts a command again and again and presses Ctrl-C at random moments: no process of it may be left,
 * and nothing half-written. Rounds use one folder, so that a later one goes on from what is there.
 */
export async function assertInterruptible(options: InterruptRounds): Promise<void> {
  const { args, folder, rounds, delayMsMax, random } = options;
  for (let round = 0; round < rounds; round++) {
    const delayMs = random.nextBelow(delayMsMax);
    const what = `round ${round}, Ctrl-C after ${delayMs} ms`;
    const end = await interrupt(args(folder), delayMs);
    assert.ok(
      end.signal === "SIGINT" || EXIT_CODES.includes(end.exitCode ?? -1),
      `${what}: exit code ${end.exitCode}, ${end.output}`,
    );
    await waitFor(`${what}: the end of every process`, () => processesOf(folder).length === 0);
    assert.deepEqual(partialFilesIn(folder), [], what);
    assert.equal(
      existsSync(join(folder, "cluster.json")),
      false,
      `${what}: a topology file is left`,
    );
  }
}

interface End {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

function interrupt(args: readonly string[], delayMs: number): Promise<End> {
  const child = spawn(process.execPath, [CLI_FILE, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const pressed = setTimeout(() => child.kill("SIGINT"), delayMs);
  const hung = setTimeout(() => child.kill("SIGKILL"), delayMs + EXIT_TIMEOUT_MS);
  return new Promise((resolve) => {
    child.once("close", (exitCode, signal) => {
      clearTimeout(pressed);
      clearTimeout(hung);
      resolve({ exitCode, signal, output: output.slice(-500) });
    });
  });
}

/** Command lines that name the folder; it is no one else's. */
function processesOf(folder: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(readCommandLine)
    .filter((commandLine) => commandLine.includes(folder));
}

/** "" for a process that has gone meanwhile. */
function readCommandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

function partialFilesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return names.filter((name) => /\.partial-|-journal$|-wal$|\.tmp$/.test(name));
}
