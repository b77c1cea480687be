import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, Option } from "commander";
import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import { ShardpoolError } from "../../lib/errors.js";
import { assertCorrect } from "./micro/assert-correct.js";
import { formatMicroList, formatMicroResults } from "./micro/format-micro-results.js";
import type { MicroBench, MicroResult } from "./micro/micro-bench.js";
import { MICRO_BENCHES } from "./micro/registry.js";
import { type MicroOptions, runInProcess } from "./micro/run-in-process.js";
import { runMicroBench } from "./micro/run-micro-bench.js";

const optionsSchema = z.strictObject({
  seconds: z.coerce.number().min(0.01).max(3600),
  seed: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  scale: z.coerce.number().positive().max(1),
  dir: z.string().min(1),
  peerCommand: z.string().min(1).optional(),
  all: z.boolean().default(false),
  list: z.boolean().default(false),
  json: z.boolean().default(false),
  inProcess: z.boolean().default(false),
});

const EXAMPLE = `
Each benchmark runs in a process of its own, proves its result right, then times it against a
baseline in turns. A line of --json is
{name, unit, value, baseline: {name, value}, ratio, correct, …}, ratio being value over baseline.

Examples:
  shardpool bench micro --list
  shardpool bench micro lookup-hot --json
  shardpool bench micro lookup-hot --peer-command './peer --rows 100000'

A peer prints one line {"value": NUMBER, "unit": "rows/s"} and is run in turns with ours; its
environment says SHARDPOOL_BENCH_SECONDS, _UNIT, _SEED and _CASE.

Exit code 0 only when every result is correct.`;

/** `shardpool bench micro`. */
export function benchMicroCommand(): Command {
  return new Command("micro")
    .description("Measures single parts, each against a baseline in the same run.")
    .argument("[names...]", "benchmarks to run, in this order")
    .option("--all", "run every benchmark")
    .option("--list", "name them and say what they measure")
    .option("--seconds <n>", "time for the turns of one result", "5")
    .option("--seed <n>", "of what is drawn", "1")
    .option("--scale <share>", "of the workload's rows, for a quick look", "1")
    .option("--dir <dir>", "where models are kept between runs", join(tmpdir(), "shardpool-bench"))
    .option("--peer-command <cmd>", "a program to run as the baseline")
    .option("--json", "print one JSON object a result")
    .addOption(new Option("--in-process", "run the benchmark in this process").hideHelp())
    .addHelpText("after", EXAMPLE)
    .action(benchMicro);
}

async function benchMicro(names: readonly string[], raw: unknown): Promise<void> {
  const { all, list, json, inProcess, dir, ...rest } = parseConfig(
    optionsSchema,
    raw,
    "bench micro",
  );
  if (list) return printList(json);
  const benches = all ? MICRO_BENCHES : names.map(benchNamed);
  if (benches.length === 0) {
    throw new ShardpoolError("CONFIG_INVALID", "name a benchmark, or give --all or --list");
  }
  const options: MicroOptions = { ...rest, cacheDir: dir };
  if (inProcess) {
    for (const bench of benches) await runInProcess(bench, options);
    return;
  }
  const results: MicroResult[] = [];
  try {
    for (const bench of benches) {
      await runMicroBench(bench, options, (result) => {
        results.push(result);
        if (json) console.log(JSON.stringify(result));
      });
    }
  } finally {
    if (!json && results.length > 0) console.log(formatMicroResults(results));
  }
  assertCorrect(results);
}

function printList(json: boolean): void {
  if (json) for (const { name, summary } of MICRO_BENCHES) printJson({ name, summary });
  else console.log(formatMicroList(MICRO_BENCHES));
}

function printJson(value: unknown): void {
  console.log(JSON.stringify(value));
}

function benchNamed(name: string): MicroBench {
  const bench = MICRO_BENCHES.find((candidate) => candidate.name === name);
  if (bench !== undefined) return bench;
  throw new ShardpoolError(
    "CONFIG_INVALID",
    `no benchmark ${name}; there are ${MICRO_BENCHES.map((candidate) => candidate.name).join(", ")}`,
  );
}
