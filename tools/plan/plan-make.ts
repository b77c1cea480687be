import { join } from "node:path";
import { Command } from "commander";
import { readJsonFile } from "../../lib/files.js";
import { hashManifest, MANIFEST_FILE, parseManifest } from "../../lib/model/manifest.js";
import type { ShardingPlan } from "../../lib/plan/plan.js";
import { readPlan, writePlan } from "../../lib/plan/plan-file.js";
import { readAccessStats } from "../../lib/stats/access-stats-file.js";
import { type CostCoefficients, parseCoefficients } from "../../services/planner/cost-model.js";
import { createLinearSolver } from "../../services/planner/linear-solver.js";
import { makePlan, type PlanRequest } from "../../services/planner/make-plan.js";
import {
  NO_CONSTRAINTS,
  type PlanConstraints,
  parseConstraints,
} from "../../services/planner/plan-constraints.js";
import { outlookOf, withOutlook } from "../../services/planner/plan-outlook.js";
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
    .option("--shards-file <file>", "JSON list of {id, memoryBytesMax, diskBytesMax, weight}")
    .option(
      "--shard <id=memory:disk[:weight]>",
      "one machine, once for each; weight is its speed, 1 as calibrated",
      (text: string, before: readonly string[] = []) => [...before, text],
    )
    .option("--strategy <name>", Object.keys(STRATEGIES).join(", "), "cost")
    .option("--memory-bytes-per-shard <size>", "memory of a shard, for instance 8GiB")
    .option("--disk-bytes-per-shard <size>", "disk of a shard; without it there is no limit")
    .option("--cache-fraction <f>", "cache as a part of row bytes, 0 to 1 (default: 1)")
    .option(
      "--constraints <file>",
      "JSON {pin: {table: shard}, whole: [table], together: [[table]]}",
    )
    .option("--replicas-max <n>", "copies of a hot partition where memory allows (default: 1)")
    .option("--coefficients <file>", "costs measured by `plan calibrate`")
    .option("--query-samples <n>", "samples of the query to plan for")
    .option("--latency-bound-ms <ms>", "warn when block reads alone take longer on a shard")
    .option("--no-outlook", "do not plan again to see what more shards or memory would do")
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
  const request: PlanRequest = {
    manifest,
    modelHash: hashManifest(manifest),
    stats: options.stats === undefined ? null : await readAccessStats(options.stats),
    shards,
    memory,
    strategy: options.strategy,
    epoch: await nextEpoch(options.replaces),
    seed: options.seed,
    solver: await createLinearSolver(),
    replicasMax: options.replicasMax ?? 1,
    constraints: await readConstraints(options.constraints),
    ...(coefficients === undefined ? {} : { coefficients }),
    ...(options.querySamples === undefined ? {} : { querySamples: options.querySamples }),
  };
  const made = makePlan(request);
  const plan = options.outlook ? withOutlook(made, outlookOf(request)) : made;
  await writePlan(options.out, plan);
  return plan;
}

async function planMake(raw: unknown): Promise<void> {
  const options = parseMakeOptions(raw);
  const plan = await makePlanFile(options);
  const report = describePlan(plan);
  console.log(options.json ? JSON.stringify(report) : formatPlanReport(report, options));
}

async function readCoefficients(path: string | undefined): Promise<CostCoefficients | undefined> {
  return path === undefined ? undefined : parseCoefficients(await readJsonFile(path), path);
}

async function readConstraints(path: string | undefined): Promise<PlanConstraints> {
  return path === undefined ? NO_CONSTRAINTS : parseConstraints(await readJsonFile(path), path);
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
    "  shardpool plan make --model model --stats stats.json --shards 4 \\",
    "    --cache-fraction 0.6 --out plan.json",
    "  shardpool plan make --model model --stats stats.json --shard big=64GiB:1TiB:2 \\",
    "    --shard small=16GiB:500GiB --constraints constraints.json --out plan.json",
  ].join("\n");
}
