import { Command, Option } from "commander";
import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import { INTERACTIONS } from "../../lib/model/dense-weights.js";
import { DTYPES } from "../../lib/model/dtype.js";
import { type Progress, startProgress } from "../cli/progress.js";
import { formatCount } from "../cli/table.js";
import { type ImportedModel, importModel } from "./import/import-model.js";
import { printVerified, type VerifiedModel, verifyModel } from "./verify-model.js";

const optionsSchema = z.strictObject({
  from: z.string().min(1),
  name: z.string().min(1),
  out: z.string().min(1),
  interaction: z.enum(INTERACTIONS).optional(),
  interactionItself: z.boolean().default(false),
  lossThreshold: z.coerce.number().min(0).lt(0.5),
  pooling: z.enum(["sum", "mean"]),
  feature: z.array(z.string()).default([]),
  tables: z.string().min(1).optional(),
  dtype: z.enum(DTYPES),
  outOfRange: z.enum(["error", "skip"]),
  tolerance: z.coerce.number().positive().max(1),
  json: z.boolean().default(false),
});

/** `shardpool model import`. */
export function modelImportCommand(): Command {
  return new Command("import")
    .description("Makes a model directory of a model trained elsewhere.")
    .requiredOption(
      "--from <path>",
      ".npz, a folder of .npy, .safetensors, .pt of torch.save, or .onnx",
    )
    .requiredOption("--name <name>", "name under which the model is served")
    .requiredOption("--out <dir>", "model directory to make")
    .addOption(
      new Option("--interaction <kind>", "what joins bottom MLP and pooled vectors").choices([
        ...INTERACTIONS,
      ]),
    )
    .option(
      "--tables <path>",
      "tables of a .onnx that is the dense part alone: .npz, folder, .pt …",
    )
    .option(
      "--feature <name=table>",
      "a feature and its table, in the order the model takes them, with :mean or :sum if wanted; repeatable",
      (value: string, before: readonly string[]) => [...before, value],
      [],
    )
    .option("--interaction-itself", "the same as --interaction dot-itself")
    .option("--loss-threshold <t>", "probabilities are clamped to [t, 1 - t]", "0")
    .addOption(new Option("--pooling <kind>").choices(["sum", "mean"]).default("sum"))
    .addOption(new Option("--dtype <dtype>", "of the rows").choices([...DTYPES]).default("float32"))
    .addOption(
      new Option("--out-of-range <policy>", "what to do with a row id no table has")
        .choices(["error", "skip"])
        .default("error"),
    )
    .option("--tolerance <t>", "largest difference of a served probability, absolute", "1e-6")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExamples:\n  shardpool model import --from model.pt --name ads --out model\n" +
        "  shardpool model import --from model.onnx --name ads --out model\n" +
        "  shardpool model import --from dense.onnx --tables tables/ --name ads --out model\n" +
        "  shardpool model import --from torchrec.pt --name ads --out model \\\n" +
        "    --feature clicked=items --feature bought=items --feature country=countries:mean",
    )
    .action(modelImport);
}

async function modelImport(raw: unknown): Promise<void> {
  const options = parseConfig(optionsSchema, raw, "model import");
  const interaction = options.interactionItself ? "dot-itself" : options.interaction;
  let progress: Progress | undefined;
  let rows = 0;
  const imported = await importModel({
    ...options,
    interaction,
    tables: options.tables,
    onStart: (rowCount) => {
      progress = startProgress("importing tables", rowCount, "rows");
    },
    onRows: (rowCount) => {
      rows += rowCount;
      progress?.update(rows);
    },
  });
  progress?.finish();
  if (options.json) {
    console.log(JSON.stringify(toJson(imported, options.out, await verifyModel(options.out))));
    return;
  }
  printSummary(imported);
  printVerified(await verifyModel(options.out));
  console.log(`It is in ${options.out}.`);
}

function toJson(imported: ImportedModel, out: string, verified: VerifiedModel): unknown {
  const { manifest, hash, golden, quantisation, unused } = imported;
  const { name, version, interaction } = manifest;
  const { probabilityDifferenceMax } = golden;
  return {
    ...{ dir: out, name, version, hash, interaction, probabilityDifferenceMax },
    ...{ quantisation, unused, verified: verified.golden },
  };
}

function printSummary({ manifest, quantisation, unused }: ImportedModel): void {
  const rows = manifest.tables.reduce((sum, table) => sum + table.rowCount, 0);
  console.log(
    `imported  ${manifest.tables.length} tables, ${formatCount(rows)} rows of ${manifest.tables[0]!.dtype}, ` +
      `${manifest.features.length} features, ${manifest.denseFeatureCount} dense features, interaction ${manifest.interaction}`,
  );
  if (unused.length > 0) console.log(`not used  ${unused.join(", ")}`);
  if (quantisation === null) return;
  const { sampleCount, probabilityMax, probabilityMean } = quantisation;
  console.log(
    `rounding  probability differs from float32 rows by at most ${probabilityMax.toExponential(1)}, ` +
      `${probabilityMean.toExponential(1)} on average (${sampleCount} drawn requests)`,
  );
}
