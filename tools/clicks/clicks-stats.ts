import { Command } from "commander";
import { hashFile } from "../../lib/files.js";
import { openModel } from "../../lib/model/model-directory.js";
import type { AccessStats } from "../../lib/stats/access-stats.js";
import { writeAccessStats } from "../../lib/stats/access-stats-file.js";
import { reuseHistogramOf } from "../../lib/stats/reuse-histogram.js";
import { startProgress } from "../cli/progress.js";
import { formatCount } from "../cli/table.js";
import { readClickLog } from "./click-log.js";
import { ClickCounter, type ClickCounts } from "./count-clicks.js";

interface ClicksStatsOptions {
  readonly model: string;
  readonly clicks: string;
  readonly out: string;
  readonly json?: boolean;
}

/** `shardpool clicks stats`. */
export function clicksStatsCommand(): Command {
  return new Command("stats")
    .description("Counts the reads of every row in a click log: what a plan is made from.")
    .requiredOption("--model <dir>", "model directory the log is for")
    .requiredOption("--clicks <file>", "click log (.arrow)")
    .requiredOption("--out <file>", "statistics to write (.json; counts go beside it as .arrow)")
    .option("--json", "print the header as one JSON object")
    .addHelpText(
      "after",
      "\nExample:\n  shardpool clicks stats --model model --clicks clicks.arrow --out stats.json",
    )
    .action(clicksStats);
}

async function clicksStats(options: ClicksStatsOptions): Promise<void> {
  const { stats, counts } = await collectStats(options);
  if (options.json) console.log(JSON.stringify(stats));
  else printSummary(options.out, counts);
}

/**
 * Counts a click log and writes the statistics.
 *
 * @throws ShardpoolError CLICKS_INVALID for a log of another model, LIMIT_EXCEEDED, and what reading
 * and writing throw.
 */
export async function collectStats(
  options: ClicksStatsOptions,
): Promise<{ stats: AccessStats; counts: ClickCounts }> {
  const { manifest, hash } = await openModel(options.model);
  const counter = new ClickCounter(manifest);
  const { sha256, bytes } = await hashFile(options.clicks);
  const progress = startProgress("counting row reads", bytes, "bytes");
  for await (const batch of readClickLog(options.clicks, { manifest })) counter.add(batch);
  const counts = counter.result();
  progress.finish(`${formatCount(counts.tables.reduce((sum, t) => sum + t.readCount, 0))} reads`);
  const { name, version } = manifest;
  const { sampleCount, queryCount, tables, features, countsByTable } = counts;
  const stats = await writeAccessStats(
    options.out,
    {
      model: { name, version, hash },
      source: sha256,
      sampleCount,
      queryCount,
      tables: [...tables],
      features: [...features],
    },
    countsByTable,
  );
  return { stats, counts };
}

function printSummary(out: string, { countsByTable, sampleCount, queryCount }: ClickCounts): void {
  const reuse = reuseHistogramOf([...countsByTable.values()].map(({ counts }) => counts));
  console.log(
    `${out}: ${formatCount(sampleCount)} samples, ${formatCount(queryCount)} queries, ` +
      `${formatCount(reuse.readCount)} reads of ${formatCount(reuse.touchedRowCount)} rows, ` +
      `${reuse.meanReuse.toFixed(2)} reads a touched row`,
  );
}
