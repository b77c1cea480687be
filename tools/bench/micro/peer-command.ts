import { spawn } from "node:child_process";
import { ShardpoolError } from "../../../lib/errors.js";
import type { ForeignContender } from "./measure-in-turns.js";
import type { Comparison, TurnValue } from "./micro-bench.js";

/** Longest a peer may take for one turn: it may compile itself and make its data first. */
const PEER_SECONDS_MAX = 600;

/** Pairs of turns against a peer: each of its turns starts a program and makes its data anew. */
export const PEER_TURN_PAIRS = 3;

/** What a peer prints, among its own output, as one line of JSON. */
interface PeerLine {
  readonly value: number;
  readonly unit?: string;
  readonly name?: string;
}

/**
 * A foreign program as the baseline: each turn runs `command` in a shell and takes the last line of
 * its standard output that is a JSON object with a number `value`. The program finds in its
 * environment `SHARDPOOL_BENCH_SECONDS`, how long to measure, `SHARDPOOL_BENCH_UNIT`,
 * `SHARDPOOL_BENCH_SEED` and, where the benchmark has several results, `SHARDPOOL_BENCH_CASE`.
 *
 * @throws ShardpoolError PROCESS_FAILED when it fails, hangs or prints no such line; CONFIG_INVALID
 * when it says another unit.
 */
export function peerContender(
  command: string,
  comparison: Pick<Comparison, "unit" | "case">,
  seed: number,
): ForeignContender {
  return {
    name: `peer: ${command}`,
    isForeign: true,
    turn: async (seconds): Promise<TurnValue> => {
      const output = await runPeer(command, {
        SHARDPOOL_BENCH_SECONDS: String(seconds),
        SHARDPOOL_BENCH_UNIT: comparison.unit,
        SHARDPOOL_BENCH_SEED: String(seed),
        SHARDPOOL_BENCH_CASE: comparison.case ?? "",
      });
      const line = peerLineOf(output, command);
      if (line.unit !== undefined && line.unit !== comparison.unit) {
        throw new ShardpoolError(
          "CONFIG_INVALID",
          `--peer-command ${command}: it measures ${line.unit}, the benchmark ${comparison.unit}`,
        );
      }
      return { value: line.value };
    },
  };
}

async function runPeer(
  command: string,
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const child = spawn(command, {
    shell: true,
    // Of its own, so that a hung shell can be ended with what it started.
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...environment },
  });
  const killGroup = (): void => {
    // Ends what the shell started too; all of it may be gone already.
    try {
      process.kill(-child.pid!, "SIGKILL");
    } catch {}
  };
  process.once("exit", killGroup);
  const timer = setTimeout(killGroup, PEER_SECONDS_MAX * 1000);
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  try {
    const [exitCode, signal] = await new Promise<[number | null, string | null]>(
      (resolve, reject) => {
        child.once("error", reject);
        child.once("close", (code, by) => resolve([code, by]));
      },
    );
    if (exitCode === 0) return output;
    const end = exitCode === null ? `was ended by ${signal}` : `ended with exit code ${exitCode}`;
    throw new ShardpoolError("PROCESS_FAILED", `--peer-command ${command}: it ${end}`);
  } finally {
    clearTimeout(timer);
    process.off("exit", killGroup);
  }
}

function peerLineOf(output: string, command: string): PeerLine {
  for (const text of output.split("\n").reverse()) {
    const line = parseLine(text);
    if (line !== undefined) return line;
  }
  throw new ShardpoolError(
    "PROCESS_FAILED",
    `--peer-command ${command}: it printed no line {"value": NUMBER, …}`,
  );
}

function parseLine(text: string): PeerLine | undefined {
  if (!text.trimStart().startsWith("{")) return undefined;
  try {
    const raw: unknown = JSON.parse(text);
    const isLine =
      typeof raw === "object" &&
      raw !== null &&
      "value" in raw &&
      typeof raw.value === "number" &&
      raw.value > 0;
    return isLine ? (raw as PeerLine) : undefined;
  } catch {
    return undefined;
  }
}
