import { Command } from "commander";
import { writeFileWhole, writeJsonFile } from "../../lib/files.js";
import { parseNumber } from "../cli/parse-number.js";
import { startProgress } from "../cli/progress.js";
import { takeOverStopSignals } from "../cli/stop-signals.js";
import { addLatencyFlags, type LatencyFlags, readLatencyFlags } from "./latency-flags.js";
import { formatLatencyReport } from "./load/format-latency-report.js";
import { LatencyHistogram } from "./load/latency-histogram.js";
import { parseLatencyOptions } from "./load/latency-options.js";
import type { LatencyResult } from "./load/latency-result.js";
import { assertGoodResult, runLatencyBench } from "./load/run-latency-bench.js";
import { writeLatencyPage } from "./write-latency-page.js";

const EXAMPLE = `
Examples:
  shardpool bench latency --target 127.0.0.1:8001 --model models/dlrm --clicks clicks.arrow \\
    --qps 200 --seconds 30 --slo 'p99<60ms' --slo 'errors<0.1%' --json result.json --html report.html
  shardpool bench latency … --schedule step:10x5s,40x5s,10x5s --topology shardpool-cluster/cluster.json
  shardpool bench latency … --scenario offline --window 32

Exit code 0 only when the target answered, no more queries failed than --errors-max allows, and
every rule of --slo was met. Ctrl-C ends the run early and reports what was measured.`;

interface Outputs {
  readonly json?: string | true;
  readonly html?: string;
  readonly hgrm?: string;
}

/** `shardpool bench latency`. */
export function benchLatencyCommand(): Command {
  return addLatencyFlags(
    new Command("latency").description(
      "Sends a click log's queries to an inference server and measures.",
    ),
  )
    .option("--self-test", "first measure the generator alone, at the rate of the run")
    .option("--trace <n>", "show the way of n queries, chosen by chance", parseNumber)
    .option("--shuffle-ids", "also serve the log with shuffled row ids and show that AUC")
    .option("--json [file]", "write the result to a file, or to standard output")
    .option("--html <file>", "write the report as one HTML page")
    .option("--hgrm <file>", "write the latency distribution in HdrHistogram's text format, ms")
    .addHelpText("after", EXAMPLE)
    .action(runLatencyCommand);
}

async function runLatencyCommand({
  json,
  html,
  hgrm,
  ...flags
}: LatencyFlags & Outputs): Promise<void> {
  const input = readLatencyFlags(flags);
  const { warmupSeconds, seconds, errorRatioMax } = parseLatencyOptions(input);
  const stop = takeOverStopSignals();
  const progress = startProgress("sending queries", warmupSeconds + seconds, "seconds");
  try {
    const result = await runLatencyBench(input, {
      signal: stop.signal,
      onProgress: (elapsed) => progress.update(Math.min(elapsed, warmupSeconds + seconds)),
    });
    progress.finish(`${result.answeredCount} of ${result.queryCount} answered`);
    await writeOutputs(result, {
      ...(json && { json }),
      ...(html && { html }),
      ...(hgrm && { hgrm }),
    });
    assertGoodResult(result, errorRatioMax);
  } finally {
    stop.release();
  }
}

async function writeOutputs(result: LatencyResult, { json, html, hgrm }: Outputs): Promise<void> {
  if (typeof json === "string") await writeJsonFile(json, result);
  if (html !== undefined) await writeLatencyPage(html, result);
  if (hgrm !== undefined) {
    await writeFileWhole(hgrm, LatencyHistogram.decode(result.latencyHistogram).toHgrm());
  }
  console.log(json === true ? JSON.stringify(result) : formatLatencyReport(result));
}
