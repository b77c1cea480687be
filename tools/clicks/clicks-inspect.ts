import { Command } from "commander";
import { reuseHistogramOf } from "../../lib/stats/reuse-histogram.js";
import { formatCount, formatTable } from "../cli/table.js";
import { type ClickLog, openClickLog } from "./click-log.js";

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
    .description("Shows what is in a click log.")
    .argument("<file>", "click log (.arrow)")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  shardpool clicks inspect clicks.arrow")
    .action(clicksInspect);
}

async function clicksInspect(path: string, options: { json?: boolean }): Promise<void> {
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
  const readsByFeature = names.map(() => new Map<number, number>());
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
      for (let i = offsets[0]!; i < offsets.at(-1)!; i++) {
        reads.set(rowIds[i]!, (reads.get(rowIds[i]!) ?? 0) + 1);
      }
    }
  }
  const features = names.map(
    (feature, f): FeatureSummary => ({
      feature,
      ...totals[f]!,
      poolingFactor: totals[f]!.readCount / Math.max(1, sampleCount),
      distinctRowCount: readsByFeature[f]!.size,
      rowIdMax: [...readsByFeature[f]!.keys()].reduce((max, rowId) => Math.max(max, rowId), -1),
    }),
  );
  const counts = readsByFeature.map((reads) => Uint32Array.from(reads.values()));
  return {
    header: log.header,
    sampleCount,
    queryCount,
    clickShare: clickCount / Math.max(1, sampleCount),
    denseFeatureCount: log.shape.denseFeatureCount,
    features,
    reuse: reuseHistogramOf(counts),
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
