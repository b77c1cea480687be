import { Command } from "commander";
import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import { openModel } from "../../lib/model/model-directory.js";
import { Random } from "../../lib/random.js";
import type { ReuseHistogram } from "../../lib/stats/reuse-histogram.js";
import { startProgress } from "../cli/progress.js";
import { formatCount } from "../cli/table.js";
import { areaUnderCurve } from "./auc.js";
import { type ClickLogHeader, clickLogShapeOf, writeClickLog } from "./click-log.js";
import { computeClickProbabilities } from "./click-probabilities.js";
import { parseClickProfile } from "./click-profile.js";
import { drawClicks, expectedRowIdCount } from "./draw-clicks.js";
import { formatReuse } from "./reuse-report.js";
import { reuseTargetOf } from "./reuse-targets.js";

const optionsSchema = z.strictObject({
  model: z.string(),
  out: z.string(),
  samples: z.coerce.number().int().min(1).max(1_000_000_000),
  profile: z.string(),
  seed: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  locality: z.coerce.number().min(0).max(1),
  window: z.coerce.number().int().min(1),
  json: z.boolean().default(false),
});

export type SynthClicksOptions = Readonly<Omit<z.output<typeof optionsSchema>, "json">>;

/** What was written. */
export interface SynthClicksReport {
  readonly file: string;
  readonly sampleCount: number;
  readonly queryCount: number;
  readonly rowIdCount: number;
  readonly clickShare: number;
  /** AUC of the probabilities the labels were drawn from; null when all labels are alike. */
  readonly aucCeiling: number | null;
  /** What the log has and what its profile asks for; profiles with a reuse table only. */
  readonly reuse?: { readonly achieved: ReuseHistogram; readonly target: ReuseHistogram };
}

/** `shardpool clicks synth`. */
export function clicksSynthCommand(): Command {
  return new Command("synth")
    .description(
      "Makes a click log for a model, its labels drawn from the model's own probability.",
    )
    .requiredOption("--model <dir>", "model directory")
    .requiredOption("--out <file>", "click log to write (.arrow)")
    .option("--samples <n>", "samples", "40000")
    .option("--profile <p>", "row ids: uniform, zipf:S, meta-2021 or meta-2022", "meta-2021")
    .option("--seed <n>", "seed of all that is random", "1")
    .option("--locality <share>", "chance that a row's next read falls within the window", "0")
    .option("--window <n>", "samples in which --locality repeats a row", "1000")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nThe meta profiles reproduce the reuse of rows in Meta's published traces, over all tables\n" +
        "together; a number of samples with which the model's tables cannot is refused.\n" +
        "\nExample:\n  shardpool clicks synth --model model --samples 40000 --profile meta-2021 --out clicks.arrow",
    )
    .action(async (raw: unknown) => {
      const options = parseConfig(optionsSchema, raw, "clicks synth");
      const report = await synthClicks(options);
      if (options.json) console.log(JSON.stringify(report));
      else printReport(report);
    });
}

/**
 * Makes a click log, whole or not at all.
 *
 * @throws ShardpoolError CONFIG_INVALID, CLICKS_INVALID, and what reading the model and writing throw.
 */
export async function synthClicks(options: SynthClicksOptions): Promise<SynthClicksReport> {
  const profile = parseClickProfile(options.profile);
  const model = await openModel(options.model);
  const { samples: sampleCount, seed, locality, window: windowSamples } = options;

  const rowIdCount = expectedRowIdCount(model.manifest, sampleCount);
  const drawing = startProgress("drawing row ids", rowIdCount, "row ids");
  const drawn = drawClicks(model.manifest, {
    ...{ sampleCount, profile, seed, locality, windowSamples },
    onProgress: drawing.update,
  });
  drawing.finish(`${formatCount(drawn.rowIdCount)} row ids`);

  const labelling = startProgress("drawing labels", sampleCount, "samples");
  const probabilities = await computeClickProbabilities(model, drawn.clicks, {
    onProgress: labelling.update,
  });
  const labels = drawLabels(probabilities, new Random(seed, "labels"));
  const aucCeiling = areaUnderCurve(probabilities, labels);
  labelling.finish();

  const { name, version } = model.manifest;
  const header: ClickLogHeader = {
    model: { name, version, hash: model.hash },
    profile: options.profile,
    seed,
    locality,
    windowSamples,
    ...(Number.isNaN(aucCeiling) ? {} : { aucCeiling }),
  };
  await writeClickLog(options.out, clickLogShapeOf(model.manifest), header, (writer) =>
    writer.write({ ...drawn.clicks, labels }),
  );
  return {
    file: options.out,
    sampleCount,
    queryCount: drawn.clicks.queries[sampleCount - 1]! + 1,
    rowIdCount: drawn.rowIdCount,
    clickShare: labels.reduce((sum, label) => sum + label, 0) / sampleCount,
    aucCeiling: Number.isNaN(aucCeiling) ? null : aucCeiling,
    ...(drawn.reuse &&
      profile.kind === "reuse" && {
        reuse: { achieved: drawn.reuse.achieved, target: reuseTargetOf(profile.name) },
      }),
  };
}

function drawLabels(probabilities: Float32Array, random: Random): Uint8Array {
  return Uint8Array.from(probabilities, (probability) =>
    random.nextFloat() < probability ? 1 : 0,
  );
}

function printReport(report: SynthClicksReport): void {
  const { sampleCount, queryCount, rowIdCount, clickShare, aucCeiling } = report;
  console.log(
    `${report.file}: ${formatCount(sampleCount)} samples in ${formatCount(queryCount)} queries, ` +
      `${formatCount(rowIdCount)} row ids`,
  );
  console.log(
    `${(clickShare * 100).toFixed(1)} % clicks; AUC ceiling ${aucCeiling?.toFixed(4) ?? "none: all labels are alike"}`,
  );
  if (report.reuse) console.log(`\n${formatReuse(report.reuse.achieved, report.reuse.target)}`);
}
