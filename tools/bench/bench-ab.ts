import { Command } from "commander";
import { ShardpoolError } from "../../lib/errors.js";
import { writeJsonFile } from "../../lib/files.js";
import { parseWholeNumber } from "../cli/parse-number.js";
import { takeOverStopSignals } from "../cli/stop-signals.js";
import { compareRuns } from "./compare/compare-runs.js";
import { formatComparison } from "./compare/format-comparison.js";
import { runInTurns } from "./compare/run-in-turns.js";
import { splitWords } from "./compare/split-words.js";
import { addLatencyFlags, type LatencyFlags, readLatencyFlags } from "./latency-flags.js";
import { formatMs, formatRate } from "./load/format-numbers.js";
import type { LatencyOptionsInput } from "./load/latency-options.js";
import type { LatencyResult } from "./load/latency-result.js";

const EXAMPLE = `
Example:
  shardpool bench ab --model models/dlrm --clicks clicks.arrow --qps 50 --seconds 5 --rounds 8 \\
    --a '--target 127.0.0.1:8001 --topology a/cluster.json' \\
    --b '--target 127.0.0.1:9001 --topology b/cluster.json'

Both targets are up the whole time. Flags of bench latency given outside --a and --b are for both. Rounds go
AB BA AB …, with the same arrivals in both runs of a round; from 8 rounds on there is a verdict (sign-flip
test of the pairs below 0.01, and a bootstrap interval of their median ratio without 1).`;

interface AbFlags {
  readonly a: string;
  readonly b: string;
  readonly rounds: number;
  readonly json?: string | true;
}

/** `shardpool bench ab`. */
export function benchAbCommand(): Command {
  return new Command("ab")
    .description("Runs two configurations in turns and says whether B is better or worse.")
    .requiredOption("--a <flags>", "flags of bench latency for A alone")
    .requiredOption("--b <flags>", "flags of bench latency for B alone")
    .option("--rounds <n>", "runs of each", parseWholeNumber, 8)
    .option("--json [file]", "write comparison and runs to a file, or to standard output")
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText("after", EXAMPLE)
    .action(async (flags: AbFlags, command: Command) => runAbCommand(flags, command.args));
}

async function runAbCommand(flags: AbFlags, shared: readonly string[]): Promise<void> {
  const { rounds: roundCount, json } = flags;
  if (roundCount < 1) throw new ShardpoolError("CONFIG_INVALID", "--rounds 0: at least 1");
  const inputs = {
    a: readFlags([...shared, ...splitWords(flags.a)]),
    b: readFlags([...shared, ...splitWords(flags.b)]),
  };
  const stop = takeOverStopSignals();
  const print = json === true ? console.error : console.log;
  try {
    const rounds = await runInTurns(inputs, roundCount, {
      signal: stop.signal,
      onRun: (round, side, result) => print(formatRun(round, roundCount, side, result)),
    });
    if (rounds.length === 0) return;
    const a = rounds.map((round) => round.a);
    const b = rounds.map((round) => round.b);
    const comparison = compareRuns(a, b, true);
    const result = { ...comparison, runs: { a, b } };
    if (typeof json === "string") await writeJsonFile(json, result);
    console.log(json === true ? JSON.stringify(result) : `\n${formatComparison(comparison)}`);
  } finally {
    stop.release();
  }
}

function readFlags(words: readonly string[]): LatencyOptionsInput {
  const command = addLatencyFlags(new Command("ab")).exitOverride();
  command.parse([...words], { from: "user" });
  return readLatencyFlags(command.opts<LatencyFlags>());
}

function formatRun(round: number, count: number, side: string, result: LatencyResult): string {
  const { latencyMs, achievedQps } = result;
  const latency =
    latencyMs === null
      ? "nothing answered"
      : `p50 ${formatMs(latencyMs.p50)} ms, p99 ${formatMs(latencyMs.p99)} ms`;
  return `round ${round + 1} of ${count}, ${side.toUpperCase()}: ${formatRate(achievedQps)} queries/s, ${latency}`;
}
