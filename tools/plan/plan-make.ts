import { join } from "node:path";
import { Command } from "commander";
import { readJsonFile } from "../../lib/files.js";
import { hashManifest, MANIFEST_FILE, parseManifest } from "../../lib/model/manifest.js";
import type { ShardingPlan } from "../../lib/plan/plan.js";
import { readPlan, writePlan } from "../../lib/plan/plan-file.js";
import { readAccessStats } from "../../lib/stats/access-stats-file.js";
import { type CostCoefficients, parseCoefficients } from "../../services/planner/cost-model.js";
import { makePlan } from "../../services/planner/make-plan.js";
import { describePlan } from "../../services/planner/plan-report.js";
import { STRATEGIES } from "../../services/planner/strategy.js";
import { formatPlanReport } from "./format-plan-report.js";
import { type PlanMakeOptions, parseMakeOptions, readShardSpecs } from "./plan-options.js";

/** `shardpool plan make`. */
export function planMakeCommand(): Command {
  return new Command("make")
    .description("Makes a plan: which shard holds which rows, and how much memory they get there.")
    .requiredOption("--model <dir>", "model directory")
    .requiredOption("--out <file>", "where the plan goes")
    .option("--stats <file>", "access statistics; without them the model's pooling factors count")
    .option("--shards <n>", "number of equal shards, named shard-0 to shard-(n-1)")
    .option("--shard-specs <file>", "JSON list of {id, memoryBytesMax, diskBytesMax, weight}")
    .option("--strategy <name>", Object.keys(STRATEGIES).join(", "), "load")
    .option("--memory-bytes-per-shard <size>", "memory of a shard, for instance 8GiB")
    .option("--disk-bytes-per-shard <size>", "disk of a shard; without it there is no limit")
    .option("--cache-fraction <f>", "cache as a part of row bytes, 0 to 1 (default: 1)")
    .option("--coefficients <file>", "costs measured by `plan calibrate`")
    .option("--query-samples <n>", "samples of the query to plan for")
    .option("--replaces <file>", "plan in use; the epoch becomes the next one")
    .option("--seed <n>", "seed of the search")
    .option("--json", "print the report as one JSON object")
    .addHelpText("after", helpText())
    .action(planMake);
}

/**
 * Reads what the options name, makes the plan and writes it.
 *
 * @throws ShardpoolError when a file cannot be read, or PLAN_DOES_NOT_FIT.
 */
export async function makePlanFile(options: PlanMakeOptions): Promise<ShardingPlan> {
  // A plan needs the manifest alone: the tables may still be on their way.
  const manifestPath = join(options.model, MANIFEST_FILE);
  const manifest = parseManifest(await readJsonFile(manifestPath), manifestPath);
  const { shards, memory } = await readShardSpecs(options);
  const coefficients = await readCoefficients(options.coefficients);
  const plan = makePlan({
    manifest,
    modelHash: hashManifest(manifest),
    stats: options.stats === undefined ? null : await readAccessStats(options.stats),
    shards,
    memory,
    strategy: options.strategy,
    epoch: await nextEpoch(options.replaces),
    ...(coefficients === undefined ? {} : { coefficients }),
    ...(options.querySamples === undefined ? {} : { querySamples: options.querySamples }),
  });
  await writePlan(options.out, plan);
  return plan;
}

async function planMake(raw: unknown): Promise<void> {
  const options = parseMakeOptions(raw);
  const plan = await makePlanFile(options);
  const report = describePlan(plan);
  console.log(options.json ? JSON.stringify(report) : formatPlanReport(report));
}

async function readCoefficients(path: string | undefined): Promise<CostCoefficients | undefined> {
  return path === undefined ? undefined : parseCoefficients(await readJsonFile(path), path);
}

async function nextEpoch(replaces: string | undefined): Promise<number> {
  return replaces === undefined ? 1 : (await readPlan(replaces)).epoch + 1;
}

function helpText(): string {
  const strategies = Object.entries(STRATEGIES).map(
    ([name, what]) => `  ${name.padEnd(10)} ${what}`,
  );
  return [
    "\nStrategies:",
    ...strategies,
    "\nExample:",
    "  shardpool plan make --model model --stats stats.json --shards 4 --strategy load \\",
    "    --cache-fraction 0.6 --out plan.json",
  ].join("\n");
}
