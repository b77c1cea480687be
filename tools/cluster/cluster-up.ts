import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command } from "commander";
import { ShardpoolError } from "../../lib/errors.js";
import { readJsonFile } from "../../lib/files.js";
import { parsePlan } from "../../lib/plan/plan.js";
import { SHARD_DEFAULTS } from "../../shards/index.js";
import { parseWholeNumber } from "../cli/parse-number.js";
import { startProgress } from "../cli/progress.js";
import { takeOverStopSignals } from "../cli/stop-signals.js";
import { buildStores } from "./build-stores.js";
import { type LocalCluster, startLocalCluster } from "./local-cluster.js";
import { writeTopology } from "./topology.js";

interface ClusterUpOptions {
  readonly model: string;
  readonly plan: string;
  readonly stats?: string;
  readonly dir: string;
  readonly grpc: string;
  readonly http: string;
  readonly metrics: string;
  readonly tcp?: boolean;
  readonly accessCountsEvery?: number;
  readonly preload: boolean;
  readonly json?: boolean;
}

export const TOPOLOGY_FILE = "cluster.json";

/** `shardpool cluster up`. */
export function clusterUpCommand(): Command {
  return new Command("up")
    .description("Builds the stores a plan asks for, starts every process, and runs until Ctrl-C.")
    .requiredOption("--model <dir>", "model directory")
    .requiredOption("--plan <file>", "plan made for that model")
    .option("--stats <file>", "access statistics the plan was made from; orders rows hot first")
    .option("--dir <dir>", "folder for stores, logs and the topology file", "shardpool-cluster")
    .option("--grpc <addr>", "where the frontend listens for gRPC", "127.0.0.1:8001")
    .option("--http <addr>", "where its REST twin listens, or off", "127.0.0.1:8000")
    .option("--metrics <addr>", "where Prometheus finds its /metrics, or off", "127.0.0.1:8002")
    .option("--tcp", "connect shards over loopback TCP instead of unix sockets")
    .option(
      "--access-counts-every <n>",
      `count which rows one lookup in N reads, for \`cluster stats\`; 0 counts none (default: ${SHARD_DEFAULTS.accessCountsEvery})`,
      parseWholeNumber,
    )
    .option("--no-preload", "have shards serve at once; rows come into memory as they are wanted")
    .option("--json", "print the topology as one JSON object when the cluster is up")
    .addHelpText(
      "after",
      "\nExample:\n  shardpool cluster up --model model --plan plan.json --stats stats.json\n" +
        "  shardpool cluster status     # in another terminal",
    )
    .action(clusterUp);
}

async function clusterUp(options: ClusterUpOptions): Promise<void> {
  const stop = takeOverStopSignals();
  const planFile = resolve(options.plan);
  const plan = parsePlan(await readJsonFile(planFile), planFile);
  const modelDir = resolve(options.model);
  const storeDir = resolve(options.dir, "stores");
  const statsFile = options.stats === undefined ? undefined : resolve(options.stats);

  const progress = startProgress("building stores", plan.shards.length, "shards");
  let built = 0;
  const onBuilt = (): void => progress.update(++built);
  await buildStores({
    modelDir,
    planFile,
    plan,
    statsFile,
    storeDir,
    signal: stop.signal,
    onBuilt,
  });
  progress.finish();

  const cluster = await startLocalCluster({
    modelDir,
    planFile,
    plan,
    storeDir,
    logDir: resolve(options.dir, "logs"),
    grpcAddress: options.grpc,
    httpAddress: options.http,
    metricsAddress: options.metrics,
    ...(options.tcp && { tcpShards: true }),
    shardArgs: shardArgsOf(options),
  });
  const topologyFile = join(resolve(options.dir), TOPOLOGY_FILE);
  try {
    await writeTopology(topologyFile, cluster.topology());
    announce(cluster, options);
    await runUntilStopped(cluster, stop.signal);
  } finally {
    await cluster.stop();
    rmSync(topologyFile, { force: true });
    stop.release();
  }
  // Ctrl-C is how this command ends when all is well.
  process.exitCode = 0;
}

/** What shards are told beside their store, plan and address. */
function shardArgsOf({ accessCountsEvery, preload }: ClusterUpOptions): string[] {
  const args = preload ? [] : ["--no-preload"];
  if (accessCountsEvery === undefined) return args;
  return [...args, "--access-counts-every", String(accessCountsEvery)];
}

function announce(cluster: LocalCluster, options: ClusterUpOptions): void {
  if (options.json) {
    console.log(JSON.stringify(cluster.topology()));
    return;
  }
  const { frontend, shards } = cluster.topology();
  console.log(`frontend  ${frontend.address}  pid ${frontend.pid}`);
  if (frontend.httpAddress) console.log(`REST      http://${frontend.httpAddress}/v2`);
  if (frontend.metricsAddress) console.log(`metrics   http://${frontend.metricsAddress}/metrics`);
  for (const shard of shards) console.log(`${shard.name}  ${shard.address}  pid ${shard.pid}`);
  console.log(`The cluster is up; Ctrl-C stops it. Its logs are in ${join(options.dir, "logs")}.`);
}

async function runUntilStopped(cluster: LocalCluster, signal: AbortSignal): Promise<void> {
  const stopped = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  const failure = await Promise.race([cluster.failed, stopped]);
  if (failure instanceof ShardpoolError) throw failure;
}
