import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ShardpoolError } from "../../lib/errors.js";
import { PACKAGE_ROOT } from "../../lib/package-root.js";
import type { ShardingPlan } from "../../lib/plan/plan.js";
import { STOP_WITH_PARENT_VARIABLE } from "../cli/stop-with-parent.js";

const CLI_FILE = join(PACKAGE_ROOT, "dist/tools/main.js");

/** Builders at work at a time. A builder is bound by one core and, at its end, by the disk. */
const BUILDERS_MAX = 2;

export interface BuildStoresOptions {
  readonly modelDir: string;
  readonly planFile: string;
  readonly plan: ShardingPlan;
  readonly statsFile: string | undefined;
  /** Folder the stores go to, one file a shard. */
  readonly storeDir: string;
  readonly signal: AbortSignal;
  /** Called as each store is there. */
  readonly onBuilt?: (shardId: string) => void;
}

/** The store of a shard inside a cluster's folder. */
export function storeFileOf(storeDir: string, shardId: string): string {
  return join(storeDir, `${shardId}.sqlite`);
}

/**
 * Builds the store of every shard of a plan, each in a process of its own, a few at a time. A store
 * that already holds its partitions is kept by the builder.
 *
 * @throws ShardpoolError PROCESS_FAILED with what the builder said; CALL_CANCELLED after `signal`.
 */
export async function buildStores(options: BuildStoresOptions): Promise<void> {
  const waiting = options.plan.shards.map((shard) => shard.id);
  const stopOthers = new AbortController();
  const signal = AbortSignal.any([options.signal, stopOthers.signal]);
  const buildNext = async (): Promise<void> => {
    for (let shardId = waiting.shift(); shardId !== undefined; shardId = waiting.shift()) {
      await buildStore(shardId, options, signal);
      options.onBuilt?.(shardId);
    }
  };
  const builders = Array.from({ length: BUILDERS_MAX }, buildNext);
  try {
    await Promise.all(builders);
  } catch (error) {
    stopOthers.abort();
    await Promise.allSettled(builders);
    throw error;
  }
}

async function buildStore(
  shardId: string,
  options: BuildStoresOptions,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) throw new ShardpoolError("CALL_CANCELLED", `building ${shardId} was stopped`);
  const args = ["shard", "build", "--model", options.modelDir, "--plan", options.planFile];
  args.push("--shard", shardId, "--out", storeFileOf(options.storeDir, shardId));
  if (options.statsFile !== undefined) args.push("--stats", options.statsFile);
  const child = spawn(process.execPath, [CLI_FILE, ...args], {
    stdio: ["pipe", "ignore", "pipe"],
    env: { ...process.env, [STOP_WITH_PARENT_VARIABLE]: "1" },
    detached: true,
  });
  let lastLine = "";
  createInterface({ input: child.stderr }).on("line", (line) => {
    lastLine = line;
  });
  const stop = (): boolean => child.kill("SIGTERM");
  signal.addEventListener("abort", stop);
  const exitCode = await new Promise<number | null>((resolve) => child.once("close", resolve));
  signal.removeEventListener("abort", stop);
  if (exitCode === 0) return;
  if (signal.aborted) throw new ShardpoolError("CALL_CANCELLED", `building ${shardId} was stopped`);
  throw new ShardpoolError("PROCESS_FAILED", `building the store of ${shardId}: ${lastLine}`);
}
