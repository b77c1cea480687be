import { writeJsonFile } from "../../lib/files.js";
import type { ShardingPlan } from "../../lib/plan/plan.js";
import { formatLatencyReport } from "../bench/load/format-latency-report.js";
import { assertGoodResult, runLatencyBench } from "../bench/load/run-latency-bench.js";
import { writeLatencyPage } from "../bench/write-latency-page.js";
import { startProgress } from "../cli/progress.js";
import type { LocalCluster } from "../cluster/local-cluster.js";
import type { DemoOptions } from "./demo-command.js";
import type { DemoPaths } from "./demo-paths.js";
import { formatDemoSummary } from "./demo-summary.js";

const WARMUP_SECONDS = 2;

/** More failures than this are no demonstration; fewer can be a busy machine's. */
const ERROR_RATIO_MAX = 0.1;

/**
 * Sends the click log to the cluster as open-loop load, prints the report (latency by stage, and the
 * AUC of what was served beside its ceiling and beside the AUC with ids shuffled), writes it as a page
 * and as JSON, and ends with a summary.
 */
export async function measureCluster(
  cluster: LocalCluster,
  plan: ShardingPlan,
  options: DemoOptions,
  paths: DemoPaths,
  signal: AbortSignal,
): Promise<void> {
  const { frontend, shards } = cluster.topology();
  const target = frontend.address;
  console.log(
    `\n$ shardpool bench latency --target ${target} --model ${paths.model} --clicks ${paths.clicks}` +
      ` --qps ${options.qps} --seconds ${options.seconds} --shuffle-ids --html ${paths.report}`,
  );
  const totalSeconds = WARMUP_SECONDS + options.seconds;
  const progress = startProgress("sending queries", totalSeconds, "seconds");
  const result = await runLatencyBench(
    {
      target,
      modelDir: paths.model,
      clicksFile: paths.clicks,
      qps: options.qps,
      seconds: options.seconds,
      warmupSeconds: WARMUP_SECONDS,
      seed: options.seed,
      shuffleIds: true,
      pids: Object.fromEntries([frontend, ...shards].map(({ name, pid }) => [name, pid])),
      shardAddresses: Object.fromEntries(shards.map(({ name, address }) => [name, address])),
    },
    { signal, onProgress: (elapsed) => progress.update(Math.min(elapsed, totalSeconds)) },
  );
  progress.finish(`${result.answeredCount} of ${result.queryCount} answered`);
  console.log(`\n${formatLatencyReport(result)}`);
  await writeLatencyPage(paths.report, result);
  await writeJsonFile(paths.result, result);
  console.log(`\n${formatDemoSummary(result, plan, paths)}`);
  if (options.json !== undefined) await writeJsonFile(options.json, result);
  assertGoodResult(result, ERROR_RATIO_MAX);
}
