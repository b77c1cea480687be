import { Command } from "commander";
import { ShardpoolError } from "../../lib/errors.js";
import { readJsonFile, writeJsonFile } from "../../lib/files.js";
import { compareRuns } from "./compare/compare-runs.js";
import { formatComparison } from "./compare/format-comparison.js";
import { type LatencyResult, parseLatencyResult } from "./load/latency-result.js";

const EXAMPLE = `
Examples:
  shardpool bench compare before.json after.json
  shardpool bench compare a1.json,a2.json,a3.json,a4.json,a5.json b1.json,b2.json,b3.json,b4.json,b5.json

A file holds what bench latency --json wrote, or a list of such results. A verdict needs at least 5 runs a
side: p by the Mann–Whitney U test over runs below 0.01, and a bootstrap interval of the ratio of medians
without 1. Runs taken one side after the other also compare the hours they were taken in: bench ab takes
them in turns.`;

/** `shardpool bench compare`. */
export function benchCompareCommand(): Command {
  return new Command("compare")
    .description("Says whether runs of B are better or worse than runs of A, or cannot tell.")
    .argument("<a>", "result files of A, with commas between")
    .argument("<b>", "result files of B, with commas between")
    .option("--json [file]", "write the comparison to a file, or to standard output")
    .addHelpText("after", EXAMPLE)
    .action(async (a: string, b: string, { json }: { readonly json?: string | true }) => {
      const comparison = compareRuns(await readRuns(a), await readRuns(b), false);
      if (typeof json === "string") await writeJsonFile(json, comparison);
      console.log(json === true ? JSON.stringify(comparison) : formatComparison(comparison));
    });
}

async function readRuns(list: string): Promise<LatencyResult[]> {
  const runs: LatencyResult[] = [];
  for (const file of list.split(",")) {
    const raw = await readJsonFile(file);
    for (const result of Array.isArray(raw) ? raw : [raw])
      runs.push(parseLatencyResult(result, file));
  }
  if (runs.length === 0) throw new ShardpoolError("FORMAT_UNSUPPORTED", `${list} holds no run`);
  return runs;
}
