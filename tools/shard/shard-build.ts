import { Command } from "commander";
import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import { ShardpoolError } from "../../lib/errors.js";
import { readJsonFile } from "../../lib/files.js";
import { parsePlan, type ShardingPlan } from "../../lib/plan/plan.js";
import type { AccessStatsFile } from "../../lib/stats/access-stats-file.js";
import {
  type BuildShardStoreOptions,
  type BuiltShardStore,
  buildShardStore,
} from "../../shards/index.js";
import { type Progress, startProgress } from "../cli/progress.js";
import { formatBytes, formatCount } from "../cli/table.js";
import { storeFileOf } from "../cluster/build-stores.js";

const optionsSchema = z.strictObject({
  model: z.string().min(1),
  plan: z.string().min(1),
  stats: z.string().min(1).optional(),
  shard: z.string().min(1).optional(),
  all: z.boolean().default(false),
  out: z.string().min(1),
  json: z.boolean().default(false),
});

type ShardBuildOptions = Readonly<z.output<typeof optionsSchema>>;

/** `shardpool shard build`. */
export function shardBuildCommand(): Command {
  return new Command("build")
    .description("Builds a shard's store: every partition the plan puts there, in one SQLite file.")
    .requiredOption("--model <dir>", "model directory")
    .requiredOption("--plan <file>", "plan made for that model")
    .option("--shard <id>", "shard of the plan, for instance shard-0")
    .option("--all", "every shard of the plan, one after the other; --out is a folder then")
    .requiredOption("--out <path>", "store to write; one that holds the partitions is kept")
    .option(
      "--stats <file>",
      "access statistics the plan was made from: rows read most are laid out together",
    )
    .option("--json", "print one JSON object a store")
    .addHelpText(
      "after",
      "\nExamples:\n  shardpool shard build --model model --plan plan.json --stats stats.json --shard shard-0 --out shard-0.sqlite\n" +
        "  shardpool shard build --model model --plan plan.json --stats stats.json --all --out stores\n\n" +
        "A build that is stopped or killed leaves no half-written store; run it again.",
    )
    .action(shardBuild);
}

async function shardBuild(raw: unknown): Promise<void> {
  const options = parseConfig(optionsSchema, raw, "shard build");
  const plan = parsePlan(await readJsonFile(options.plan), options.plan);
  const stats = options.stats === undefined ? undefined : await readStats(options.stats);
  for (const { shardId, out } of storesOf(options, plan)) {
    const built = await buildOne({ modelDir: options.model, plan, shardId, out, stats });
    console.log(options.json ? JSON.stringify(built) : formatBuilt(built));
  }
}

function storesOf(
  options: ShardBuildOptions,
  plan: ShardingPlan,
): { shardId: string; out: string }[] {
  const { shard, all, out } = options;
  if (all === (shard !== undefined)) {
    throw new ShardpoolError("CONFIG_INVALID", "shard build: give either --shard ID or --all");
  }
  if (shard !== undefined) return [{ shardId: shard, out }];
  return plan.shards.map(({ id }) => ({ shardId: id, out: storeFileOf(out, id) }));
}

async function buildOne({
  stats,
  ...build
}: Omit<BuildShardStoreOptions, "stats" | "onProgress"> & {
  readonly stats: AccessStatsFile | undefined;
}): Promise<BuiltShardStore> {
  const startedAtMs = performance.now();
  let progress: Progress | undefined;
  const built = await buildShardStore({
    ...build,
    ...(stats && { stats }),
    onProgress: (rowsDone, rowCount) => {
      progress ??= startProgress(`building ${build.shardId}`, rowCount, "rows");
      progress.update(rowsDone);
    },
  });
  const rowsPerSecond = (built.rowCount * 1000) / (performance.now() - startedAtMs);
  progress?.finish(
    `${formatCount(built.rowCount)} rows, ${formatCount(Math.round(rowsPerSecond))} rows/s`,
  );
  return built;
}

function formatBuilt(built: BuiltShardStore): string {
  const order =
    built.statsHash === null
      ? "in row-id order"
      : `laid out by statistics ${built.statsHash.slice(0, 12)}`;
  const kept = built.reused ? " (kept: it held every partition)" : "";
  return `${built.path}: ${built.partitionCount} partitions, ${formatCount(built.rowCount)} rows ${order}, ${formatBytes(built.bytes)}${kept}`;
}

/** Loads what reads Arrow files only here: `shard serve` comes with the same module. */
async function readStats(path: string): Promise<AccessStatsFile> {
  const { readAccessStats } = await import("../../lib/stats/access-stats-file.js");
  return readAccessStats(path);
}
