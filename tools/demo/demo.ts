import { rmSync } from "node:fs";
import type { Command } from "commander";
import { readJsonFile } from "../../lib/files.js";
import { parsePlan, type ShardingPlan } from "../../lib/plan/plan.js";
import { startProgress } from "../cli/progress.js";
import { takeOverStopSignals } from "../cli/stop-signals.js";
import { clicksCommand } from "../clicks/clicks-command.js";
import { buildStores } from "../cluster/build-stores.js";
import { type LocalCluster, startLocalCluster } from "../cluster/local-cluster.js";
import { modelCommand } from "../model/model-command.js";
import { planCommand } from "../plan/plan-command.js";
import type { DemoOptions } from "./demo-command.js";
import { measureCluster } from "./demo-measure.js";
import { type DemoPaths, demoPaths } from "./demo-paths.js";
import { type DemoStep, runSteps } from "./demo-steps.js";

/** Rows of MLPerf's DLRM-v2 tables, of which the demo's are a share. */
const MLPERF_ROW_COUNT = 204_184_588;

/** Share of the row bytes that the shards keep in memory: below 1, so that the SSD tier works. */
const CACHE_FRACTION = 0.6;

/**
 * The main job: model, log, statistics, plan and stores where an earlier run has not left them; then
 * a cluster of real processes under load, and the report. Leaves no process behind, however it ends.
 */
export async function runDemo(options: DemoOptions): Promise<void> {
  const paths = demoPaths(options.dir);
  if (options.fresh) rmSync(paths.dir, { recursive: true, force: true });
  const ran = await runSteps(demoSteps(options, paths), paths.record);
  // A plan that was just made has been shown.
  if (!ran.has("plan")) {
    console.log(`\n$ shardpool plan show ${paths.plan}`);
    await runVerb(planCommand(), ["show", paths.plan]);
  }

  // Until here Ctrl-C ends the process at once; from here on there are children to stop first.
  const stop = takeOverStopSignals();
  try {
    await serveAndMeasure(options, paths, stop.signal);
  } finally {
    stop.release();
  }
}

async function serveAndMeasure(
  options: DemoOptions,
  paths: DemoPaths,
  signal: AbortSignal,
): Promise<void> {
  const plan = parsePlan(await readJsonFile(paths.plan), paths.plan);
  await buildDemoStores(paths, plan, signal);
  const cluster = await startDemoCluster(paths, plan);
  try {
    const failed = cluster.failed.then((error) => Promise.reject(error));
    await Promise.race([measureCluster(cluster, plan, options, paths, signal), failed]);
  } finally {
    await cluster.stop();
  }
}

function demoSteps(options: DemoOptions, paths: DemoPaths): DemoStep[] {
  const seed = ["--seed", String(options.seed)];
  const scale = (options.rows / MLPERF_ROW_COUNT).toPrecision(6);
  return [
    {
      name: "model",
      args: [
        ...["model", "synth", "--preset", "mlperf", "--scale", scale, "--dim", "64"],
        ...[...seed, "--out", paths.model],
      ],
      output: paths.model,
      run: (args) => runVerb(modelCommand(), args.slice(1)),
    },
    {
      name: "clicks",
      args: [
        ...["clicks", "synth", "--model", paths.model, "--samples", String(options.samples)],
        ...["--profile", "meta-2021", ...seed, "--out", paths.clicks],
      ],
      output: paths.clicks,
      run: (args) => runVerb(clicksCommand(), args.slice(1)),
    },
    {
      name: "stats",
      args: [
        ...["clicks", "stats", "--model", paths.model, "--clicks", paths.clicks],
        ...["--out", paths.stats],
      ],
      output: paths.stats,
      run: (args) => runVerb(clicksCommand(), args.slice(1)),
    },
    {
      name: "plan",
      args: [
        ...["plan", "make", "--model", paths.model, "--stats", paths.stats],
        ...["--shards", String(options.shards), "--strategy", "cost"],
        ...["--cache-fraction", String(CACHE_FRACTION), "--out", paths.plan],
      ],
      output: paths.plan,
      run: (args) => runVerb(planCommand(), args.slice(1)),
    },
  ];
}

async function runVerb(command: Command, args: readonly string[]): Promise<void> {
  await command.parseAsync([...args], { from: "user" });
}

async function buildDemoStores(
  paths: DemoPaths,
  plan: ShardingPlan,
  signal: AbortSignal,
): Promise<void> {
  console.log(
    `\n$ shardpool shard build --shard ID …    (for each of ${plan.shards.length} shards)`,
  );
  const progress = startProgress("building stores", plan.shards.length, "shards");
  let built = 0;
  await buildStores({
    modelDir: paths.model,
    planFile: paths.plan,
    plan,
    statsFile: paths.stats,
    storeDir: paths.stores,
    signal,
    onBuilt: () => progress.update(++built),
  });
  progress.finish();
}

async function startDemoCluster(paths: DemoPaths, plan: ShardingPlan): Promise<LocalCluster> {
  console.log(`\n$ shardpool cluster up --model ${paths.model} --plan ${paths.plan}`);
  const progress = startProgress("starting the cluster", plan.shards.length + 1, "processes");
  const cluster = await startLocalCluster({
    modelDir: paths.model,
    planFile: paths.plan,
    plan,
    storeDir: paths.stores,
    logDir: paths.logs,
    grpcAddress: "127.0.0.1:0",
  });
  progress.finish(`${plan.shards.length} shards and a frontend, healthy`);
  return cluster;
}
