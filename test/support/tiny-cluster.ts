import assert from "node:assert/strict";
import { join } from "node:path";
import { readJsonFile } from "../../lib/files.js";
import { parsePlan, type ShardingPlan } from "../../lib/plan/plan.js";
import { buildStores } from "../../tools/cluster/build-stores.js";
import { type LocalCluster, startLocalCluster } from "../../tools/cluster/local-cluster.js";
import { runCli } from "./run-cli.js";

/** What a cluster is made from, in a folder of the caller's. */
export interface TinyModelFiles {
  readonly modelDir: string;
  readonly planFile: string;
  readonly plan: ShardingPlan;
  readonly storeDir: string;
  readonly logDir: string;
}

/** Makes the tiny preset's model, a plan for it and the stores, through the commands a user types. */
export async function makeTinyModel(folder: string, shardCount: number): Promise<TinyModelFiles> {
  const modelDir = join(folder, "model");
  const planFile = join(folder, "plan.json");
  await succeed(["model", "synth", "--preset", "tiny", "--seed", "5", "--out", modelDir]);
  await succeed([
    ...["plan", "make", "--model", modelDir, "--shards", String(shardCount)],
    ...["--strategy", "capacity", "--cache-fraction", "0.5", "--out", planFile],
  ]);
  const plan = parsePlan(await readJsonFile(planFile));
  const storeDir = join(folder, "stores");
  const signal = new AbortController().signal;
  await buildStores({ modelDir, planFile, plan, statsFile: undefined, storeDir, signal });
  return { modelDir, planFile, plan, storeDir, logDir: join(folder, "logs") };
}

/** Starts every process of a cluster on free ports. */
export function startTinyCluster(files: TinyModelFiles): Promise<LocalCluster> {
  return startLocalCluster({ ...files, grpcAddress: "127.0.0.1:0" });
}

async function succeed(args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await runCli(args);
  assert.equal(exitCode, 0, `shardpool ${args.join(" ")}: ${stderr}`);
}
