import { Command } from "commander";
import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import { readJsonFile } from "../../lib/files.js";
import { parsePlan } from "../../lib/plan/plan.js";
import { readAccessStats } from "../../lib/stats/access-stats-file.js";
import { buildShardStore } from "../../shards/index.js";
import { type Progress, startProgress } from "../cli/progress.js";
import { formatBytes, formatCount } from "../cli/table.js";

const optionsSchema = z.strictObject({
  model: z.string().min(1),
  plan: z.string().min(1),
  stats: z.string().min(1).optional(),
  shard: z.string().min(1),
  out: z.string().min(1),
  json: z.boolean().default(false),
});

/** `shardpool shard build`. */
export function shardBuildCommand(): Command {
  return new Command("build")
    .description("Builds a shard's store: every partition the plan puts there, in one SQLite file.")
    .requiredOption("--model <dir>", "model directory")
    .requiredOption("--plan <file>", "plan made for that model")
    .requiredOption("--shard <id>", "shard of the plan, for instance shard-0")
    .requiredOption("--out <file>", "store to write; one that holds the partitions is kept")
    .option(
      "--stats <file>",
      "access statistics the plan was made from: rows read most are laid out together",
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExample:\n  shardpool shard build --model model --plan plan.json --stats stats.json --shard shard-0 --out shard-0.sqlite",
    )
    .action(shardBuild);
}

async function shardBuild(raw: unknown): Promise<void> {
  const options = parseConfig(optionsSchema, raw, "shard build");
  const plan = parsePlan(await readJsonFile(options.plan), options.plan);
  const stats = options.stats === undefined ? undefined : await readAccessStats(options.stats);
  let progress: Progress | undefined;
  const built = await buildShardStore({
    modelDir: options.model,
    plan,
    shardId: options.shard,
    ...(stats && { stats }),
    out: options.out,
    onProgress: (rowsDone, rowCount) => {
      progress ??= startProgress(`building ${options.shard}`, rowCount, "rows");
      progress.update(rowsDone);
    },
  });
  progress?.finish();
  if (options.json) console.log(JSON.stringify(built));
  else {
    const order =
      built.statsHash === null
        ? "in row-id order"
        : `laid out by statistics ${built.statsHash.slice(0, 12)}`;
    const kept = built.reused ? " (kept: it held every partition)" : "";
    console.log(
      `${built.path}: ${built.partitionCount} partitions, ${formatCount(built.rowCount)} rows ${order}, ${formatBytes(built.bytes)}${kept}`,
    );
  }
}
