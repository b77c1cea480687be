import { Command } from "commander";
import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import { runDemo } from "./demo.js";

const optionsSchema = z.strictObject({
  dir: z.string().min(1),
  seed: z.coerce
    .number()
    .int()
    .min(0)
    .max(2 ** 48),
  shards: z.coerce.number().int().min(1).max(64),
  seconds: z.coerce.number().int().min(3).max(3600),
  qps: z.coerce.number().positive().max(10_000),
  rows: z.coerce.number().int().min(100_000).max(50_000_000),
  samples: z.coerce.number().int().min(1000).max(10_000_000),
  fresh: z.boolean().default(false),
  json: z.string().optional(),
});

export type DemoOptions = Readonly<z.output<typeof optionsSchema>>;

/** `shardpool demo`, which is `npm start`. */
export function demoCommand(): Command {
  return new Command("demo")
    .description("The whole main job in one command, then a report.")
    .option("--dir <dir>", "folder for everything it makes", "shardpool-demo")
    .option("--seed <n>", "seed of the model, the log and the arrivals", "1")
    .option("--shards <n>", "embedding shards to start", "4")
    .option("--seconds <n>", "how long to send load, after 2 s of warm-up", "15")
    .option("--qps <n>", "queries a second to offer; a query has 270 samples on average", "5")
    .option("--rows <n>", "rows of all tables together", "2000000")
    .option("--samples <n>", "samples in the click log", "40000")
    .option("--fresh", "make everything anew instead of reusing an earlier run's files")
    .option("--json <file>", "write the latency report as JSON here too")
    .addHelpText(
      "after",
      "\nExamples:\n  npm start\n  shardpool demo --shards 2 --seconds 30 --qps 20\n\n" +
        "It leaves the model, the log, the plan and the stores in --dir for `shardpool cluster up`.",
    )
    .action(async (raw: unknown) => {
      await runDemo(parseConfig(optionsSchema, raw, "demo options"));
    });
}
