import { type Command, Option } from "commander";
import { ShardpoolError } from "../../lib/errors.js";
import { parseNumber } from "../cli/parse-number.js";
import { type LatencyOptionsInput, SCENARIOS } from "./load/latency-options.js";

/** The flags of a run as commander reads them. */
export interface LatencyFlags
  extends Omit<LatencyOptionsInput, "modelDir" | "clicksFile" | "pids"> {
  readonly model: string;
  readonly clicks: string;
  readonly pid: readonly string[];
  readonly errorsMax?: number;
}

/** Adds the flags that say what to send, to whom, and what must hold. */
export function addLatencyFlags(command: Command): Command {
  return command
    .requiredOption("--target <addr>", "inference server, host:port or unix:PATH")
    .requiredOption("--model <dir>", "model directory the log was made for")
    .requiredOption("--clicks <file>", "click log to send")
    .addOption(
      new Option(
        "--scenario <name>",
        "server: open loop, Poisson; single-stream: next when the last is answered; offline: all at once",
      )
        .choices(SCENARIOS)
        .default("server"),
    )
    .option("--qps <n>", "queries a second to offer (server scenario)", parseNumber)
    .option(
      "--schedule <text>",
      "instead of --qps and --seconds: step:10x5s,40x5s, ramp:10-200x60s or day:20-100x60s",
    )
    .option("--seconds <n>", "measured time, 10 unless told", parseNumber)
    .option("--warmup-seconds <n>", "load before it, not measured, 2 unless told", parseNumber)
    .option("--window <n>", "queries in flight (offline scenario), 16 unless told", parseNumber)
    .option("--clients <n>", "processes that send, 1 unless told", parseNumber)
    .option("--seed <n>", "of the arrivals, 1 unless told", parseNumber)
    .option(
      "--slo <rule>",
      "what must hold: p99<60ms, errors<0.1%, degraded<1%; repeatable",
      collect,
    )
    .option(
      "--errors-max <share>",
      "share of queries that may fail; 0, unless an --slo bounds errors",
      parseNumber,
    )
    .option("--timeout-ms <n>", "when a query counts as failed, 10000 unless told", parseNumber)
    .option("--in-flight-max <n>", "queries unanswered at most, 10000 unless told", parseNumber)
    .option("--channel-count <n>", "connections, 2 unless told", parseNumber)
    .option("--topology <file>", "cluster.json of `cluster up`: adds its processes and shards")
    .option("--pid <name=pid>", "process whose CPU and memory to show, repeatable", collect, []);
}

/** @throws ShardpoolError CONFIG_INVALID for a flag that has a form of its own. */
export function readLatencyFlags({
  model,
  clicks,
  pid,
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

function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}
