import { Command } from "commander";
import { setUpForBatches } from "../../lib/garbage-collection.js";
import { SHARD_DEFAULTS, startNullShard } from "../../shards/index.js";
import { parseWholeNumber } from "../cli/parse-number.js";
import { serveUntilStopped } from "../cli/serve-until-stopped.js";

/** `shardpool bench null-shard`. */
export function benchNullShardCommand(): Command {
  return new Command("null-shard")
    .description(
      "Serves a shard without rows that answers zeros: the floor of what the wire costs.",
    )
    .option(
      "--listen <addr>",
      "HOST:PORT (port 0: a free one) or unix:PATH",
      SHARD_DEFAULTS.listenAddress,
    )
    .option("--columns <n>", "columns of each partition", parseWholeNumber, 16)
    .addHelpText(
      "after",
      "\nExample:\n  shardpool bench null-shard --listen 127.0.0.1:0 --columns 64\n\n" +
        "It prints one JSON line when it serves, and serves until SIGTERM or Ctrl-C.",
    )
    .action(async (options: { readonly listen: string; readonly columns: number }) => {
      setUpForBatches();
      const { listen: listenAddress, columns: columnCount } = options;
      await serveUntilStopped(await startNullShard({ listenAddress, columnCount }), {});
    });
}
