import { Command } from "commander";
import { setUpForBatches } from "../../lib/garbage-collection.js";
import { type RawShardConfig, SHARD_DEFAULTS, startShard } from "../../shards/index.js";
import { parseWholeNumber } from "../cli/parse-number.js";
import { serveUntilStopped } from "../cli/serve-until-stopped.js";

interface ShardServeOptions {
  readonly store: string;
  readonly plan?: string;
  readonly shard?: string;
  readonly listen: string;
  readonly metrics?: string;
  readonly cacheBytes?: string;
  readonly memoryBytes?: string;
  readonly accessCountsEvery: number;
  readonly preload: boolean;
}

/** `shardpool shard serve`. */
export function shardServeCommand(): Command {
  return new Command("serve")
    .description("Serves a shard store over gRPC until SIGTERM or Ctrl-C.")
    .requiredOption("--store <file>", "store made by `shard build`")
    .option("--plan <file>", "plan that says what each partition keeps in memory")
    .option("--shard <id>", "shard of the plan; the one the store was built for unless told")
    .option(
      "--listen <addr>",
      "HOST:PORT (port 0: a free one) or unix:PATH",
      SHARD_DEFAULTS.listenAddress,
    )
    .option("--metrics <addr>", "where Prometheus finds /metrics; nowhere unless told")
    .option("--cache-bytes <n>", "row bytes to keep in memory, without a plan (default: all)")
    .option("--memory-bytes <n>", "bound on the engine's memory; it does not start above it")
    .option(
      "--access-counts-every <n>",
      "count which rows one lookup in N reads, for `cluster stats`; 0 counts none",
      parseWholeNumber,
      SHARD_DEFAULTS.accessCountsEvery,
    )
    .option("--no-preload", "serve at once; rows come into memory as they are wanted")
    .addHelpText(
      "after",
      "\nExample:\n  shardpool shard serve --store shard-0.sqlite --plan plan.json --listen 127.0.0.1:8100\n\n" +
        "It fills its memory from the store before it serves, and says in its log how far it is. It prints\n" +
        "one JSON line when it serves; its log goes to standard error.",
    )
    .action(shardServe);
}

async function shardServe(options: ShardServeOptions): Promise<void> {
  setUpForBatches();
  const config: RawShardConfig = {
    storeFile: options.store,
    listenAddress: options.listen,
    accessCountsEvery: options.accessCountsEvery,
    preload: options.preload,
    ...(options.metrics !== undefined && { metricsAddress: options.metrics }),
    ...(options.plan !== undefined && { planFile: options.plan }),
    ...(options.shard !== undefined && { shardId: options.shard }),
    ...(options.cacheBytes !== undefined && { cacheBytes: Number(options.cacheBytes) }),
    ...(options.memoryBytes !== undefined && { memoryBytesMax: Number(options.memoryBytes) }),
  };
  const shard = await startShard(config);
  const { shardId, metricsAddress } = shard;
  await serveUntilStopped(shard, { shard: shardId, metricsAddress });
}
