import { join } from "node:path";
import { Command } from "commander";
import { readJsonFile } from "../../lib/files.js";
import { MANIFEST_FILE, type ModelManifest, parseManifest } from "../../lib/model/manifest.js";
import { readAccessStats } from "../../lib/stats/access-stats-file.js";
import { reuseHistogramOf } from "../../lib/stats/reuse-histogram.js";
import { RowCountTable } from "../../lib/stats/row-count-table.js";
import { formatCount, formatTable } from "../cli/table.js";
import { type ClickLog, openClickLog } from "./click-log.js";
import { formatStats } from "./format-stats.js";
import { summariseStats } from "./stats-summary.js";

interface FeatureSummary {
  readonly feature: string;
  readonly readCount: number;
  readonly poolingFactor: number;
  readonly bagLengthMax: number;
  readonly emptyBagCount: number;
  readonly distinctRowCount: number;
  readonly rowIdMax: number;
}

/** `shardpool clicks inspect`. */
export function clicksInspectCommand(): Command {
  return new Command("inspect")
    .description("Shows what is in a click log, or in the statistics of one.")
    .argument("<file>", "click log (.arrow) or access statistics (.json)")
    .option("--model <dir>", "of statistics: says sizes in bytes instead of rows")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExamples:\n  shardpool clicks inspect clicks.arrow\n" +
        "  shardpool clicks inspect stats.json --model model",
    )
    .action(clicksInspect);
}

interface InspectOptions {
  readonly model?: string;
  readonly json?: boolean;
}

async function clicksInspect(path: string, options: InspectOptions): Promise<void> {
  await (path.endsWith(".json") ? inspectStats(path, options) : inspectLog(path, options));
}

async function inspectStats(path: string, { model, json }: InspectOptions): Promise<void> {
  const stats = await readAccessStats(path);
  const manifest = model === undefined ? undefined : await readManifestOf(model);
  const summary = summariseStats(stats, manifest);
  if (json) console.log(JSON.stringify({ ...summary, header: stats.header }));
  else console.log(formatStats(path, stats.header, summary, manifest !== undefined));
}

/** The manifest alone: the tables may be on another machine. */
async function readManifestOf(dir: string): Promise<ModelManifest> {
  const path = join(dir, MANIFEST_FILE);
  return parseManifest(await readJsonFile(path), path);
}

async function inspectLog(path: string, options: InspectOptions): Promise<void> {
  const log = await openClickLog(path);
  try {
    const summary = await summarise(log);
    if (options.json) console.log(JSON.stringify(summary));
    else printSummary(path, summary);
  } finally {
    await log.close();
  }
}

async function summarise(log: ClickLog) {
  const names = log.shape.featureNames;
  const readsByFeature = names.map(() => new RowCountTable(Number.POSITIVE_INFINITY));
  const totals = names.map(() => ({ readCount: 0, bagLengthMax: 0, emptyBagCount: 0 }));
  let sampleCount = 0;
  let queryCount = 0;
  let clickCount = 0;
  let lastQuery = -1;
  for await (const batch of log.batches()) {
    sampleCount += batch.sampleCount;
    for (let i = 0; i < batch.sampleCount; i++) {
      clickCount += batch.labels[i]!;
      if (batch.queries[i] !== lastQuery) queryCount++;
      lastQuery = batch.queries[i]!;
    }
    for (const [f, { offsets, rowIds }] of batch.features.entries()) {
      const reads = readsByFeature[f]!;
      const total = totals[f]!;
      for (let i = 1; i < offsets.length; i++) {
        const length = offsets[i]! - offsets[i - 1]!;
        if (length === 0) total.emptyBagCount++;
        total.bagLengthMax = Math.max(total.bagLengthMax, length);
        total.readCount += length;
      }
      reads.addAll(rowIds, offsets[0]!, offsets.at(-1)!);
    }
  }
  const rowCounts = readsByFeature.map((reads) => reads.toRowCounts());
  const features = names.map(
    (feature, f): FeatureSummary => ({
      feature,
      ...totals[f]!,
      poolingFactor: totals[f]!.readCount / Math.max(1, sampleCount),
      distinctRowCount: rowCounts[f]!.rowIds.length,
      rowIdMax: rowCounts[f]!.rowIds.reduce((max, rowId) => Math.max(max, rowId), -1),
    }),
  );
  return {
    header: log.header,
    sampleCount,
    queryCount,
    clickShare: clickCount / Math.max(1, sampleCount),
    denseFeatureCount: log.shape.denseFeatureCount,
    features,
    reuse: reuseHistogramOf(rowCounts.map(({ counts }) => counts)),
  };
}

type Summary = Awaited<ReturnType<typeof summarise>>;

function printSummary(path: string, summary: Summary): void {
  const { header, sampleCount, queryCount, clickShare, features, reuse } = summary;
  const { model, profile, aucCeiling } = header;
  console.log(
    `${path}: ${formatCount(sampleCount)} samples in ${formatCount(queryCount)} queries, ` +
      `${summary.denseFeatureCount} dense features, ${(clickShare * 100).toFixed(1)} % clicks`,
  );
  if (model) console.log(`for model ${model.name} version ${model.version}, profile ${profile}`);
  if (aucCeiling !== undefined) console.log(`AUC ceiling ${aucCeiling.toFixed(4)}`);
  const columns = ["feature", "ids", "a sample", "longest bag", "empty bags", "rows", "largest id"];
  console.log(
    `\n${formatTable(
      columns.map((title, i) => ({ title, align: i === 0 ? "left" : "right" })),
      features.map((feature) => [
        feature.feature,
        formatCount(feature.readCount),
        feature.poolingFactor.toFixed(2),
        String(feature.bagLengthMax),
        formatCount(feature.emptyBagCount),
        formatCount(feature.distinctRowCount),
        String(feature.rowIdMax),
      ]),
    )}`,
  );
  console.log(`\n${reuse.meanReuse.toFixed(2)} reads a touched row (rows of each feature apart)`);
  console.log(
    formatTable(
      [{ title: "rows read more than" }, { title: "% of rows" }, { title: "% of reads" }],
      reuse.bins.map(({ above, rowShare, readShare }) => [
        String(above),
        (rowShare * 100).toFixed(1),
        (readShare * 100).toFixed(1),
      ]),
    ),
  );
}
