import { Command } from "commander";
import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import { ShardpoolError } from "../../lib/errors.js";
import { STRATEGIES } from "../../services/planner/strategy.js";
import { takeOverStopSignals } from "../cli/stop-signals.js";
import { formatTable } from "../cli/table.js";
import { type Judgement, TIE_SHARE } from "./check/judge-estimates.js";
import { type PlanCheck, runPlanCheck } from "./check/run-plan-check.js";

const STRATEGY_NAMES = Object.keys(STRATEGIES);

const optionsSchema = z.strictObject({
  model: z.string(),
  stats: z.string().optional(),
  clicks: z.string(),
  shards: z.coerce.number().int().min(1).max(64),
  strategies: z
    .string()
    .transform((text) => text.split(","))
    .pipe(z.array(z.enum(STRATEGY_NAMES as [string, ...string[]])).min(1)),
  coefficients: z.string().optional(),
  cacheFraction: z.coerce.number().min(0).max(1),
  warmupQueries: z.coerce.number().int().min(0).max(1_000_000),
  queries: z.coerce.number().int().min(1).max(1_000_000),
  json: z.boolean().default(false),
});

/** `shardpool plan check`. */
export function planCheckCommand(): Command {
  return new Command("check")
    .description("Compares what plans are estimated to cost with what their shards then cost.")
    .requiredOption("--model <dir>", "model directory")
    .requiredOption("--clicks <file>", "click log whose last queries are sent")
    .option("--stats <file>", "access statistics; counted from the queries before unless given")
    .option("--shards <n>", "shards of each plan", "4")
    .option("--strategies <list>", "strategies to check", STRATEGY_NAMES.join(","))
    .option("--coefficients <file>", "costs measured by `plan calibrate`")
    .option("--cache-fraction <f>", "cache as a part of row bytes, 0 to 1", "0.6")
    .option("--warmup-queries <n>", "queries before them, to warm up", "40")
    .option("--queries <n>", "queries that are measured, the log's last", "30")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nPlans are made from the queries before those that warm up and are measured, so that estimates are forecasts.\n" +
        "Each shard is asked alone, one lookup in flight, so that the number of cores does not matter.\n" +
        "Ends with an error when a strategy that was estimated to be faster turns out slower.\n" +
        "\nExample:\n  shardpool plan check --model model --clicks clicks.arrow --coefficients costs.json",
    )
    .action(planCheck);
}

async function planCheck(raw: unknown): Promise<void> {
  const { json, coefficients, stats, ...options } = parseConfig(optionsSchema, raw, "plan check");
  const stop = takeOverStopSignals();
  try {
    const check = await runPlanCheck({
      ...options,
      ...(coefficients === undefined ? {} : { coefficients }),
      ...(stats === undefined ? {} : { stats }),
      signal: stop.signal,
    });
    console.log(json ? JSON.stringify(check) : formatCheck(check));
    assertRankingHolds(check.byCpu);
  } finally {
    stop.release();
  }
}

/** @throws ShardpoolError ESTIMATE_WRONG when strategies come in another order than estimated. */
function assertRankingHolds({ disagreements }: Judgement): void {
  if (disagreements.length === 0) return;
  const pairs = disagreements.map(({ promised, better }) => `${better} beats ${promised}`);
  throw new ShardpoolError(
    "ESTIMATE_WRONG",
    `the estimate ranks strategies otherwise than the CPU time of their slowest shard: ${pairs.join(", ")}`,
  );
}

function formatCheck(check: PlanCheck): string {
  const { strategies, querySamples, statsKnowQueries, byCpu, byService } = check;
  const titles = [
    "estimate us",
    "CPU us",
    "ratio",
    "service us",
    "hits est.",
    "hits",
    "blocks est.",
    "blocks",
  ];
  const shards = formatTable(
    [
      { title: "strategy", align: "left" },
      { title: "shard", align: "left" },
      ...titles.map((title) => ({ title })),
    ],
    strategies.flatMap(({ strategy, shards: own }) =>
      own.map((shard) => [
        strategy,
        shard.shard,
        shard.estimatedUs.toFixed(0),
        shard.cpuUs.toFixed(0),
        (shard.estimatedUs / shard.cpuUs).toFixed(2),
        shard.serviceUs.toFixed(0),
        shard.estimatedHitRatio === null ? "?" : tenths(shard.estimatedHitRatio),
        tenths(shard.hitRatio),
        shard.estimatedBlocks.toFixed(0),
        shard.blocksPerQuery.toFixed(0),
      ]),
    ),
  );
  const slowest = formatTable(
    [
      { title: "slowest shard of", align: "left" },
      { title: "estimate us" },
      { title: "CPU us" },
      { title: "service us" },
    ],
    strategies.map(({ strategy, shards: own }) => [
      strategy,
      Math.max(...own.map((shard) => shard.estimatedUs)).toFixed(0),
      Math.max(...own.map((shard) => shard.cpuUs)).toFixed(0),
      Math.max(...own.map((shard) => shard.serviceUs)).toFixed(0),
    ]),
  );
  return [
    `a mean query of ${querySamples.toFixed(1)} samples` +
      (statsKnowQueries
        ? "; the statistics are of these very queries: more hits than a forecast can know of (leave --stats out)"
        : ""),
    shards,
    slowest,
    [judgementLine("CPU time", byCpu), judgementLine("service time", byService)].join("\n"),
  ].join("\n\n");
}

function judgementLine(what: string, judgement: Judgement): string {
  const { correlation, meanError, scaledError, disagreements } = judgement;
  const order =
    disagreements.length === 0
      ? `the order of strategies agrees (differences below ${percent(TIE_SHARE)} are none)`
      : `order WRONG: ${disagreements.map((pair) => `${pair.better} beats ${pair.promised}`).join(", ")}`;
  const r = Number.isNaN(correlation) ? "none" : correlation.toFixed(3);
  return (
    `against ${what}: correlation ${r}, off by ${percent(meanError)}, ` +
    `${percent(scaledError)} once scaled; ${order}`
  );
}

function tenths(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
