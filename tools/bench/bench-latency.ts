import { Command, InvalidArgumentError, Option } from "commander";
import { ShardpoolError } from "../../lib/errors.js";
import { writeJsonFile } from "../../lib/files.js";
import { startProgress } from "../cli/progress.js";
import { takeOverStopSignals } from "../cli/stop-signals.js";
import { formatLatencyReport } from "./load/format-latency-report.js";
import { type LatencyOptionsInput, parseLatencyOptions } from "./load/latency-options.js";
import type { LatencyResult } from "./load/latency-result.js";
import { assertGoodResult, runLatencyBench } from "./load/run-latency-bench.js";

const EXAMPLE = `
Example:
  shardpool bench latency --target 127.0.0.1:8001 --model models/dlrm --clicks clicks.arrow \\
    --qps 200 --seconds 30 --slo 'p99<60ms,errors<0.1%' --json result.json

Exit code 0 only when the target answered, no more queries failed than --errors-max allows, and
every rule of --slo was met.`;

interface LatencyFlags extends Omit<LatencyOptionsInput, "modelDir" | "clicksFile" | "pids"> {
  readonly model: string;
  readonly clicks: string;
  readonly pid: readonly string[];
  readonly errorsMax?: number;
  readonly json?: string | true;
}

/** `shardpool bench latency`. */
export function benchLatencyCommand(): Command {
  return new Command("latency")
    .description("Sends a click log's queries to an inference server and measures.")
    .requiredOption("--target <addr>", "inference server, host:port or unix:PATH")
    .requiredOption("--model <dir>", "model directory the log was made for")
    .requiredOption("--clicks <file>", "click log to send")
    .addOption(
      new Option("--scenario <name>", "open loop, or closed loop with one query in flight")
        .choices(["server", "single-stream"])
        .default("server"),
    )
    .option("--qps <n>", "queries a second to offer (server scenario)", parseNumber)
    .option("--seconds <n>", "measured time, 10 unless told", parseNumber)
    .option("--warmup-seconds <n>", "load before it, not measured, 2 unless told", parseNumber)
    .option("--seed <n>", "of the arrivals, 1 unless told", parseNumber)
    .option("--slo <rules>", "what must hold, for instance p99<60ms,errors<0.1%")
    .option("--errors-max <share>", "share of queries that may fail, 0 unless told", parseNumber)
    .option("--timeout-ms <n>", "when a query counts as failed, 10000 unless told", parseNumber)
    .option("--in-flight-max <n>", "queries unanswered at most, 10000 unless told", parseNumber)
    .option("--channel-count <n>", "connections, 2 unless told", parseNumber)
    .option("--shuffle-ids", "also serve the log with shuffled row ids and show that AUC")
    .option("--pid <name=pid>", "process whose CPU and memory to show, repeatable", collect, [])
    .option("--json [file]", "write the result to a file, or to standard output")
    .addHelpText("after", EXAMPLE)
    .action(runLatencyCommand);
}

async function runLatencyCommand(flags: LatencyFlags): Promise<void> {
  const input = readFlags(flags);
  const { warmupSeconds, seconds, errorRatioMax } = parseLatencyOptions(input);
  const stop = takeOverStopSignals();
  const progress = startProgress("sending queries", warmupSeconds + seconds, "seconds");
  try {
    const result = await runLatencyBench(input, {
      signal: stop.signal,
      onProgress: (elapsed) => progress.update(Math.min(elapsed, warmupSeconds + seconds)),
    });
    progress.finish(`${result.answeredCount} of ${result.queryCount} answered`);
    await printResult(result, flags.json);
    assertGoodResult(result, errorRatioMax);
  } finally {
    stop.release();
  }
}

async function printResult(result: LatencyResult, json: LatencyFlags["json"]): Promise<void> {
  if (json === true) {
    console.log(JSON.stringify(result));
    return;
  }
  if (json !== undefined) await writeJsonFile(json, result);
  console.log(formatLatencyReport(result));
}

function readFlags({
  model,
  clicks,
  pid,
  json,
  errorsMax,
  ...rest
}: LatencyFlags): LatencyOptionsInput {
  return {
    ...rest,
    modelDir: model,
    clicksFile: clicks,
    pids: Object.fromEntries(pid.map(parsePid)),
    ...(errorsMax === undefined ? {} : { errorRatioMax: errorsMax }),
  };
}

function parsePid(text: string): [string, number] {
  const [, name, pid] = /^([^=]+)=([0-9]+)$/.exec(text) ?? [];
  if (name === undefined || pid === undefined) {
    throw new ShardpoolError("CONFIG_INVALID", `--pid ${text}: must be NAME=PID`);
  }
  return [name, Number(pid)];
}

function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, value];
}

function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) throw new InvalidArgumentError("not a number");
  return value;
}
