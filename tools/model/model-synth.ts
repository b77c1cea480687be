import { Command, Option } from "commander";
import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import { DTYPES, rowBytesOf } from "../../lib/model/dtype.js";
import { startProgress } from "../cli/progress.js";
import { formatBytes, formatCount } from "../cli/table.js";
import { PRESET_NAMES, PRESETS, type PresetName, scalePreset } from "./synth/presets.js";
import { synthModel } from "./synth/synth-model.js";

const optionsSchema = z.strictObject({
  preset: z.enum(PRESET_NAMES as [PresetName, ...PresetName[]]),
  scale: z.coerce.number().positive().max(1000),
  dim: z.coerce.number().int().min(1).max(65536).optional(),
  dtype: z.enum(DTYPES),
  seed: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  name: z.string().min(1).optional(),
  out: z.string().min(1),
  json: z.boolean().default(false),
});

/** `shardpool model synth`. */
export function modelSynthCommand(): Command {
  const presets = Object.entries(PRESETS).map(([name, { title }]) => `  ${name.padEnd(8)}${title}`);
  return new Command("synth")
    .description("Makes a model of a published shape with made-up weights.")
    .addOption(
      new Option("--preset <name>", "shape of the model").choices(PRESET_NAMES).default("tiny"),
    )
    .option("--scale <s>", "multiplies the tables' row counts", "1")
    .option("--dim <n>", "embeddingDim instead of the preset's")
    .addOption(new Option("--dtype <dtype>", "of the rows").choices(DTYPES).default("float32"))
    .option("--seed <n>", "seed of every weight", "1")
    .option("--name <name>", "name under which it is served; the preset's unless told")
    .requiredOption("--out <dir>", "model directory to make; one that is there is replaced")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `\nPresets:\n${presets.join("\n")}\n\nExample:\n  shardpool model synth --preset mlperf --scale 0.01 --dim 64 --out model`,
    )
    .action(modelSynth);
}

async function modelSynth(raw: unknown): Promise<void> {
  const options = parseConfig(optionsSchema, raw, "model synth");
  const preset = scalePreset(PRESETS[options.preset], {
    scale: options.scale,
    embeddingDim: options.dim,
  });
  const rowCount = preset.rowCounts.reduce((sum, rows) => sum + rows, 0);
  const progress = startProgress("making tables", rowCount, "rows");
  let done = 0;
  const { manifest, hash } = await synthModel({
    ...options,
    preset,
    name: options.name ?? options.preset,
    onRows: (rows) => {
      done += rows;
      progress.update(done);
    },
  });
  progress.finish();
  if (options.json) {
    console.log(JSON.stringify({ dir: options.out, name: manifest.name, hash, rowCount }));
    return;
  }
  const bytes = rowCount * rowBytesOf(options.dtype, preset.embeddingDim);
  console.log(
    `${options.out}: model ${manifest.name}, ${manifest.tables.length} tables, ${formatCount(rowCount)} rows x ${preset.embeddingDim} ${options.dtype} (${formatBytes(bytes)})`,
  );
}
