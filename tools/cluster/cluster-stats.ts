import { Command } from "commander";
import { ShardpoolError } from "../../lib/errors.js";
import { type Model, openModel } from "../../lib/model/model-directory.js";
import { fetchShardDescription } from "../../lib/rpc/describe-client.js";
import { fetchAccessCounts } from "../../lib/rpc/stats-client.js";
import { writeAccessStats } from "../../lib/stats/access-stats-file.js";
import { parseShardAddress } from "../cli/parse-shard-address.js";
import { formatCount } from "../cli/table.js";
import { mergeShardAccesses, type ShardAnswer } from "./shard-access-stats.js";
import { readTopology } from "./topology.js";

const DESCRIBE_TIMEOUT_MS = 5000;
const COUNTS_TIMEOUT_MS = 60_000;
const TOPOLOGY_DEFAULT = "shardpool-cluster/cluster.json";

interface ClusterStatsOptions {
  readonly model: string;
  readonly out: string;
  readonly topology?: string;
  readonly shard: readonly string[];
  readonly reset?: boolean;
  readonly json?: boolean;
}

interface ShardAddress {
  readonly name: string;
  readonly address: string;
}

/** `shardpool cluster stats`. */
export function clusterStatsCommand(): Command {
  return new Command("stats")
    .description("Writes access statistics of what a running cluster's shards have looked up.")
    .requiredOption("--model <dir>", "model directory that the cluster serves")
    .requiredOption("--out <file>", "where to write them: NAME.json, and NAME.arrow beside it")
    .option("--topology <file>", `file written by \`cluster up\` (default: "${TOPOLOGY_DEFAULT}")`)
    .option(
      "--shard <id=addr>",
      "address of a shard, once for each; instead of a topology",
      (value: string, before: readonly string[]) => [...before, value],
      [] as readonly string[],
    )
    .option("--reset", "let the shards count from 0 again")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExample:\n  shardpool cluster stats --model model --out stats.json --reset\n" +
        "  shardpool plan make --model model --stats stats.json --shards 4 --out plan.json\n\n" +
        "Shards count one lookup in 64 unless their accessCountsEvery says otherwise.",
    )
    .action(clusterStats);
}

async function clusterStats(options: ClusterStatsOptions): Promise<void> {
  if (!options.out.endsWith(".json")) {
    throw new ShardpoolError("CONFIG_INVALID", `--out ${options.out}: must end in .json`);
  }
  const shards = await shardsOf(options);
  const model = await openModel(options.model);
  const answers = await askShards(shards, model, options.reset === true);
  const { draft, countsByTable } = mergeShardAccesses(model, answers);
  const { counts } = await writeAccessStats(options.out, draft, countsByTable);
  const full = answers.flatMap(({ accesses, description }) =>
    [...accesses.partitions.values()].some(({ isFull }) => isFull) ? [description.shardId] : [],
  );
  const lookupCount = answers.reduce((sum, { accesses }) => sum + accesses.lookupCount, 0);
  const readCount = draft.tables.reduce((sum, table) => sum + table.readCount, 0);
  const { source } = draft;
  if (options.json) {
    const { out } = options;
    const summary = { out, source, lookupCount, readCount, listedRowCount: counts.rowCount, full };
    console.log(JSON.stringify(summary));
    return;
  }
  console.log(
    `${options.out}: ${formatCount(readCount)} reads of ${formatCount(counts.rowCount)} rows listed, ` +
      `from ${formatCount(lookupCount)} lookups of ${source}`,
  );
  if (full.length > 0) console.log(`counted their fill, reset them: ${full.join(", ")}`);
}

async function shardsOf({
  topology,
  shard,
}: ClusterStatsOptions): Promise<readonly ShardAddress[]> {
  if (shard.length === 0) return (await readTopology(topology ?? TOPOLOGY_DEFAULT)).shards;
  if (topology !== undefined) {
    throw new ShardpoolError("CONFIG_INVALID", "--topology and --shard exclude each other");
  }
  const shards = shard.map(parseShardAddress).map(([name, address]) => ({ name, address }));
  const twice = shards.find((one, i) => shards.some((o, at) => at < i && o.name === one.name));
  if (twice === undefined) return shards;
  throw new ShardpoolError("CONFIG_INVALID", `--shard ${twice.name} is given twice`);
}

/** Nothing is reset before every shard has said that it is the one that is meant. */
async function askShards(
  shards: readonly ShardAddress[],
  model: Model,
  reset: boolean,
): Promise<ShardAnswer[]> {
  const timeoutMs = DESCRIBE_TIMEOUT_MS;
  const descriptions = await Promise.all(
    shards.map(async ({ name, address }) => {
      const description = await fetchShardDescription(address, { timeoutMs });
      const { shardId, modelHash } = description;
      if (shardId === name && modelHash === model.hash) return description;
      throw new ShardpoolError(
        "PLAN_MISMATCH",
        `${name} was expected at ${address} with model ${model.hash.slice(0, 12)}, ` +
          `there is ${shardId} with ${modelHash.slice(0, 12)}`,
      );
    }),
  );
  return Promise.all(
    shards.map(async ({ address }, i) => ({
      description: descriptions[i]!,
      accesses: await fetchAccessCounts(address, { reset, timeoutMs: COUNTS_TIMEOUT_MS }),
    })),
  );
}
