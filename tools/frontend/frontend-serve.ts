import { Command } from "commander";
import { setUpForBatches } from "../../lib/garbage-collection.js";
import { FRONTEND_DEFAULTS, startFrontend } from "../../services/frontend/index.js";
import { parseShardAddress } from "../cli/parse-shard-address.js";
import { serveUntilStopped } from "../cli/serve-until-stopped.js";

/** Says that a protocol is not served. */
const OFF = "off";

interface FrontendServeOptions {
  readonly model: string;
  readonly plan: string;
  readonly shard: readonly string[];
  readonly grpc: string;
  readonly http: string;
  readonly metrics: string;
  readonly slowQueryMs: string;
  readonly startTimeout: string;
  readonly float16Answers?: boolean;
  readonly denseWorkers: string;
  readonly denseThreads: string;
}

/** `shardpool frontend serve`. */
export function frontendServeCommand(): Command {
  return new Command("serve")
    .description("Serves a model from its shards over the Open Inference Protocol.")
    .requiredOption("--model <dir>", "model directory")
    .requiredOption("--plan <file>", "plan made for that model")
    .requiredOption(
      "--shard <id=addr>",
      "address of a shard of the plan; once for each",
      (value: string, before: readonly string[]) => [...before, value],
      [] as readonly string[],
    )
    .option(
      "--grpc <addr>",
      "where to listen; port 0 picks a free one",
      FRONTEND_DEFAULTS.grpcAddress,
    )
    .option(
      "--http <addr>",
      "where the REST twin listens, or off; port 0 picks a free one",
      FRONTEND_DEFAULTS.httpAddress,
    )
    .option(
      "--metrics <addr>",
      "where Prometheus finds /metrics, or off",
      FRONTEND_DEFAULTS.metricsAddress,
    )
    .option(
      "--slow-query-ms <n>",
      "log queries that take longer",
      String(FRONTEND_DEFAULTS.slowQueryMs),
    )
    .option(
      "--start-timeout <seconds>",
      "how long to wait for the shards",
      String(FRONTEND_DEFAULTS.startTimeoutMs / 1000),
    )
    .option("--float16-answers", "have shards round their sums to float16: half the bytes")
    .option("--dense-workers <n>", "worker threads", String(FRONTEND_DEFAULTS.denseWorkerCount))
    .option("--dense-threads <n>", "threads of one run", String(FRONTEND_DEFAULTS.denseThreadCount))
    .addHelpText(
      "after",
      "\nExample:\n  shardpool frontend serve --model model --plan plan.json \\\n" +
        "    --shard shard-0=127.0.0.1:8100 --shard shard-1=127.0.0.1:8101\n\n" +
        "It prints one JSON line when the golden requests were answered right.",
    )
    .action(frontendServe);
}

async function frontendServe(options: FrontendServeOptions): Promise<void> {
  setUpForBatches();
  const frontend = await startFrontend({
    modelDir: options.model,
    planFile: options.plan,
    shards: Object.fromEntries(options.shard.map(parseShardAddress)),
    grpcAddress: options.grpc,
    ...(options.http !== OFF && { httpAddress: options.http }),
    ...(options.metrics !== OFF && { metricsAddress: options.metrics }),
    slowQueryMs: Number(options.slowQueryMs),
    startTimeoutMs: Number(options.startTimeout) * 1000,
    float16Answers: options.float16Answers === true,
    denseWorkerCount: Number(options.denseWorkers),
    denseThreadCount: Number(options.denseThreads),
  });
  const { httpAddress, metricsAddress } = frontend;
  await serveUntilStopped(frontend, { httpAddress, metricsAddress });
}
