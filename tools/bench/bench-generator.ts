import { Command } from "commander";
import { writeJsonFile } from "../../lib/files.js";
import { parseNumber } from "../cli/parse-number.js";
import { startProgress } from "../cli/progress.js";
import { takeOverStopSignals } from "../cli/stop-signals.js";
import { readBenchQueries } from "./load/bench-queries.js";
import { formatGeneratorReport } from "./load/format-generator.js";
import { testGenerator } from "./load/generator-test.js";
import { parseLatencyOptions } from "./load/latency-options.js";

const EXAMPLE = `
Example:
  shardpool bench generator --model models/dlrm --clicks clicks.arrow --clients 2

A server in a process of its own answers every query at once. The report shows what the generator and
gRPC add to a latency (the floor) and which rates it holds: 98 % answered in time and sent late by less
than 1 ms at p99.`;

interface GeneratorFlags {
  readonly model: string;
  readonly clicks: string;
  readonly clients: number;
  readonly qps?: number;
  readonly seed: number;
  readonly json?: string | true;
}

/** `shardpool bench generator`. */
export function benchGeneratorCommand(): Command {
  return new Command("generator")
    .description("Measures the load generator itself: its floor and the rate it can hold.")
    .requiredOption("--model <dir>", "model directory the log was made for")
    .requiredOption("--clicks <file>", "click log whose queries to send")
    .option("--clients <n>", "processes that send", parseNumber, 1)
    .option("--qps <n>", "try rates around this one; without it climb to the limit", parseNumber)
    .option("--seed <n>", "of the arrivals", parseNumber, 1)
    .option("--json [file]", "write the result to a file, or to standard output")
    .addHelpText("after", EXAMPLE)
    .action(runGeneratorCommand);
}

async function runGeneratorCommand(flags: GeneratorFlags): Promise<void> {
  const { clients, seed, qps, json } = flags;
  const options = { modelDir: flags.model, clicksFile: flags.clicks, clients, seed };
  const stop = takeOverStopSignals();
  try {
    const source = await readBenchQueries(parseLatencyOptions({ ...options, target: "-", qps: 1 }));
    const progress = startProgress("testing the generator", 8, "rates");
    let stepCount = 0;
    const test = await testGenerator(
      source,
      options,
      { qpsWanted: qps ?? null },
      { signal: stop.signal, onStep: () => progress.update(Math.min(8, ++stepCount)) },
    );
    progress.finish(`${stepCount} rates`);
    if (typeof json === "string") await writeJsonFile(json, test);
    console.log(json === true ? JSON.stringify(test) : formatGeneratorReport(test));
  } finally {
    stop.release();
  }
}
