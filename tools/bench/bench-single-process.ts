import { Command } from "commander";
import { setUpForBatches } from "../../lib/garbage-collection.js";
import { parseWholeNumber } from "../cli/parse-number.js";
import { serveUntilStopped } from "../cli/serve-until-stopped.js";
import { startSingleProcess } from "./single-process.js";

const EXAMPLE = `
Example:
  shardpool plan make --model model --stats stats.json --shards 1 --out plan-1.json
  shardpool shard build --model model --plan plan-1.json --stats stats.json --shard shard-0 \\
    --out stores/shard-0.sqlite
  shardpool bench single-process --model model --plan plan-1.json --stores stores --grpc 127.0.0.1:8001

It prints one JSON line when the golden requests were answered right, and serves until Ctrl-C.`;

/** `shardpool bench single-process`. */
export function benchSingleProcessCommand(): Command {
  return new Command("single-process")
    .description("Serves frontend and shards in one process: what a cluster is compared with.")
    .requiredOption("--model <dir>", "model directory")
    .requiredOption("--plan <file>", "plan made for that model")
    .requiredOption("--stores <dir>", "folder with a store for each shard of the plan")
    .option("--grpc <addr>", "where to listen; port 0 picks a free one", "127.0.0.1:8001")
    .option("--dense-workers <n>", "worker threads", parseWholeNumber, 1)
    .option("--dense-threads <n>", "threads of one run", parseWholeNumber, 1)
    .addHelpText("after", EXAMPLE)
    .action(
      async (options: {
        readonly model: string;
        readonly plan: string;
        readonly stores: string;
        readonly grpc: string;
        readonly denseWorkers: number;
        readonly denseThreads: number;
      }) => {
        setUpForBatches();
        const server = await startSingleProcess({
          modelDir: options.model,
          planFile: options.plan,
          storeDir: options.stores,
          grpcAddress: options.grpc,
          denseWorkerCount: options.denseWorkers,
          denseThreadCount: options.denseThreads,
        });
        await serveUntilStopped(server, { singleProcess: true });
      },
    );
}
