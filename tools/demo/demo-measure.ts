import { writeJsonFile } from "../../lib/files.js";
import { formatLatencyReport } from "../bench/load/format-latency-report.js";
import { runLatencyBench } from "../bench/load/run-latency-bench.js";
import type { LocalCluster } from "../cluster/local-cluster.js";
import type { DemoOptions } from "./demo-command.js";
import type { DemoPaths } from "./demo-paths.js";

/**
 * Sends the click log to the cluster as open-loop load and prints the report: latency by stage, and
 * the AUC of what was served beside its ceiling and beside the AUC with ids shuffled.
 */
export async function measureCluster(
  cluster: LocalCluster,
  options: DemoOptions,
  paths: DemoPaths,
  signal: AbortSignal,
): Promise<void> {
  const { frontend, shards } = cluster.topology();
  const target = frontend.address;
  console.log(
    `\n$ shardpool bench latency --target ${target} --model ${paths.model} --clicks ${paths.clicks}` +
      ` --qps ${options.qps} --seconds ${options.seconds}`,
  );
  const result = await runLatencyBench(
    {
      target,
      modelDir: paths.model,
      clicksFile: paths.clicks,
      qps: options.qps,
      seconds: options.seconds,
      seed: options.seed,
      shuffleIds: true,
      pids: Object.fromEntries([frontend, ...shards].map(({ name, pid }) => [name, pid])),
    },
    { signal },
  );
  console.log(`\n${formatLatencyReport(result)}`);
  if (options.json !== undefined) await writeJsonFile(options.json, result);
}
