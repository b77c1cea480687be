import { Command } from "commander";
import { ShardpoolError } from "../../lib/errors.js";
import { writeJsonFile } from "../../lib/files.js";
import { parseNumber } from "../cli/parse-number.js";
import { takeOverStopSignals } from "../cli/stop-signals.js";
import { addLatencyFlags, type LatencyFlags, readLatencyFlags } from "./latency-flags.js";
import { formatMs, formatRate } from "./load/format-numbers.js";
import { type PeakResult, type PeakStep, runPeakBench } from "./load/run-peak-bench.js";

const EXAMPLE = `
Example:
  shardpool bench peak --target 127.0.0.1:8001 --model models/dlrm --clicks clicks.arrow \\
    --slo 'p99<60ms' --seconds 10 --json peak.json

A rate meets the SLO when every rule is met, no more queries fail than --errors-max allows (unless a rule
bounds errors), and at least 90 % of it is answered. Exit code 0 when a peak was found and confirmed.`;

interface PeakFlags {
  readonly qpsStart: number;
  readonly qpsMin: number;
  readonly qpsMax: number;
  readonly tolerance: number;
  readonly confirmations: number;
  readonly json?: string | true;
}

/** `shardpool bench peak`. */
export function benchPeakCommand(): Command {
  const command = addLatencyFlags(
    new Command("peak").description("Finds the highest rate at which a target meets an SLO."),
  );
  return command
    .option("--qps-start <n>", "first rate to try", parseNumber, 10)
    .option("--qps-min <n>", "give up below this rate", parseNumber, 0.5)
    .option("--qps-max <n>", "never offer more than this", parseNumber, 20_000)
    .option("--tolerance <ratio>", "how near the peak is found", parseNumber, 0.05)
    .option("--confirmations <n>", "further runs the peak must pass", parseNumber, 2)
    .option("--json [file]", "write the result to a file, or to standard output")
    .addHelpText("after", EXAMPLE)
    .action(runPeakCommand);
}

async function runPeakCommand(flags: LatencyFlags & PeakFlags): Promise<void> {
  const { qpsStart, qpsMin, qpsMax, tolerance, confirmations, json, ...rest } = flags;
  assertPeakFlags(flags);
  const stop = takeOverStopSignals();
  const print = json === true ? console.error : console.log;
  try {
    const result = await runPeakBench(
      readLatencyFlags(rest),
      { qpsStart, qpsMin, qpsMax, tolerance, confirmationCount: confirmations },
      { signal: stop.signal, onStep: (step) => print(formatStep(step)) },
    );
    if (typeof json === "string") await writeJsonFile(json, result);
    console.log(json === true ? JSON.stringify(result) : `\n${formatPeak(result)}`);
    assertFound(result);
  } finally {
    stop.release();
  }
}

function assertPeakFlags(flags: LatencyFlags & PeakFlags): void {
  const { qpsStart, qpsMin, qpsMax, tolerance, confirmations } = flags;
  const problems = [
    flags.scenario === "server" ? "" : "--scenario: only the server scenario has a rate",
    flags.qps === undefined && flags.schedule === undefined ? "" : "--qps and --schedule: left out",
    qpsMin > 0 && qpsMin <= qpsStart && qpsStart <= qpsMax
      ? ""
      : `--qps-min ${qpsMin} <= --qps-start ${qpsStart} <= --qps-max ${qpsMax} must hold, above 0`,
    tolerance > 0 && tolerance <= 1 ? "" : `--tolerance ${tolerance}: above 0, at most 1`,
    Number.isInteger(confirmations) && confirmations >= 0 && confirmations <= 100
      ? ""
      : `--confirmations ${confirmations}: a whole number from 0 to 100`,
  ].filter((problem) => problem !== "");
  if (problems.length > 0) throw new ShardpoolError("CONFIG_INVALID", problems.join("; "));
}

function formatStep({ purpose, qps, achievedQps, latencyMs, errorsByCode, met }: PeakStep): string {
  const latency =
    latencyMs === null
      ? "nothing answered"
      : `p50 ${formatMs(latencyMs.p50)} ms, p99 ${formatMs(latencyMs.p99)} ms`;
  const errors = Object.entries(errorsByCode).map(([code, count]) => `, ${count} ${code}`);
  const rates = `${formatRate(qps).padStart(7)} queries/s, ${formatRate(achievedQps).padStart(7)} answered`;
  return `${met ? "✓" : "✗"} ${purpose.padEnd(7)} ${rates}, ${latency}${errors.join("")}`;
}

function formatPeak(result: PeakResult): string {
  const rules = result.slo.join(", ");
  const cores = `${result.environment.coreCount} cores, ${result.seconds} s a run`;
  if (result.endedBy === "interrupt") return `INTERRUPTED before the peak under ${rules} was found`;
  if (result.endedBy === "target-lost") return `TARGET LOST: ${result.target} stopped answering`;
  if (result.peakQps === null) return `✗ no rate that was tried meets ${rules} (${cores})`;
  const samples = formatRate(result.peakSamplesPerSecond ?? 0);
  return `✓ peak ${formatRate(result.peakQps)} queries/s (${samples} samples/s) under ${rules} (${cores})`;
}

function assertFound({ endedBy, peakQps, target, slo }: PeakResult): void {
  if (endedBy === "target-lost") {
    throw new ShardpoolError("TARGET_UNAVAILABLE", `${target} stopped answering`);
  }
  if (endedBy === "search" && peakQps === null) {
    throw new ShardpoolError("SLO_MISSED", `no rate that was tried meets ${slo.join(", ")}`);
  }
}
