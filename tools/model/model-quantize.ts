import { Command, Option } from "commander";
import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import { type Progress, startProgress } from "../cli/progress.js";
import { formatBytes } from "../cli/table.js";
import { type QuantisedModel, quantiseModel } from "./quantise/quantise-model.js";

const QUANTISED_DTYPES = { f16: "float16", int8: "int8", int4: "int4" } as const;
const DTYPE_NAMES = Object.keys(QUANTISED_DTYPES) as (keyof typeof QUANTISED_DTYPES)[];

const optionsSchema = z.strictObject({
  dtype: z.enum(DTYPE_NAMES),
  clicks: z.string().min(1).optional(),
  out: z.string().min(1),
  name: z.string().min(1).optional(),
  json: z.boolean().default(false),
});

/** `shardpool model quantize`. */
export function modelQuantizeCommand(): Command {
  return new Command("quantize")
    .description("Makes a new model of the same tables in fewer bits, and shows what that loses.")
    .argument("<dir>", "model directory with float32 or float16 rows")
    .addOption(
      new Option("--dtype <dtype>", "of the new rows").choices(DTYPE_NAMES).makeOptionMandatory(),
    )
    .requiredOption("--out <dir>", "model directory to make")
    .option("--clicks <file>", "click log of the model, to measure the loss on")
    .option("--name <name>", "name of the new model; the old one's and the dtype unless told")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExample:\n  shardpool model quantize model --dtype int8 --clicks clicks.arrow --out model-int8",
    )
    .action(modelQuantize);
}

async function modelQuantize(modelDir: string, raw: unknown): Promise<void> {
  const options = parseConfig(optionsSchema, raw, "model quantize");
  let progress: Progress | undefined;
  let done = 0;
  const quantised = await quantiseModel({
    modelDir,
    dtype: QUANTISED_DTYPES[options.dtype],
    out: options.out,
    name: options.name,
    clicksFile: options.clicks,
    onStart: (rowCount) => {
      progress = startProgress("quantising", rowCount, "rows");
    },
    onRows: (rowCount) => {
      done += rowCount;
      progress?.update(done);
    },
    onMeasure: () => {
      progress?.finish();
      console.error(
        options.clicks === undefined
          ? "no --clicks: the loss is measured on drawn requests"
          : `measuring the loss on ${options.clicks}`,
      );
    },
  });
  if (options.json) printJson(options.out, quantised);
  else console.log(formatQuantised(options.out, quantised));
}

function printJson(dir: string, quantised: QuantisedModel): void {
  const { manifest, hash, loss, bytesBefore, bytesAfter } = quantised;
  console.log(JSON.stringify({ dir, name: manifest.name, hash, bytesBefore, bytesAfter, loss }));
}

function formatQuantised(dir: string, quantised: QuantisedModel): string {
  const { manifest, hash, loss, bytesBefore, bytesAfter } = quantised;
  const { sampleCount, logit, probability, auc } = loss;
  const error = ({ max, mean }: { max: number; mean: number }): string =>
    `at most ${max.toExponential(1)}, on average ${mean.toExponential(1)}`;
  const on = loss.source === "clicks" ? "samples of the log" : "drawn requests";
  return [
    `${dir}: model ${manifest.name} version ${manifest.version} (${hash})`,
    `rows         ${formatBytes(bytesBefore)} before, ${formatBytes(bytesAfter)} after: ${(bytesBefore / bytesAfter).toFixed(2)} times smaller`,
    `loss         on ${sampleCount} ${on}`,
    `logit        ${logit === null ? "the dense part gives none" : error(logit)}`,
    `probability  ${error(probability)}`,
    auc === null
      ? "AUC          needs a log with clicks and others"
      : `AUC          ${auc.before.toFixed(5)} before, ${auc.after.toFixed(5)} after (${auc.change >= 0 ? "+" : ""}${auc.change.toExponential(1)})`,
  ].join("\n");
}
