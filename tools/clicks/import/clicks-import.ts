import { statSync } from "node:fs";
import { Command, Option } from "commander";
import { z } from "zod";
import { parseConfig } from "../../../lib/config.js";
import { fromFileError } from "../../../lib/errors.js";
import { openModel } from "../../../lib/model/model-directory.js";
import { startProgress } from "../../cli/progress.js";
import { formatCount } from "../../cli/table.js";
import { readCriteo } from "./criteo.js";
import { readDlrmDatasets } from "./dlrm-datasets.js";
import {
  formatBadLine,
  type ImportedClicks,
  importClicks,
  importContextOf,
} from "./import-clicks.js";
import { IMPORT_FORMATS, type ImportContext, type ImportedEntry } from "./import-format.js";
import { readParquet } from "./parquet.js";

const count = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const list = z.string().transform((text) => text.split(","));

const optionsSchema = z.strictObject({
  format: z.enum(IMPORT_FORMATS),
  from: z.string().min(1),
  model: z.string().min(1),
  out: z.string().min(1),
  seed: count,
  badLinesMax: count,
  samples: count.min(1).optional(),
  column: z.array(z.string()).default([]),
  labelColumn: z.string().optional(),
  denseColumns: list.default([]),
  hash: z.boolean().default(false),
  traceTables: list
    .transform((numbers) => numbers.map(Number))
    .pipe(z.array(z.int().min(0)))
    .default([]),
  json: z.boolean().default(false),
});
type ImportCommandOptions = z.output<typeof optionsSchema>;

/** `shardpool clicks import`. */
export function clicksImportCommand(): Command {
  return new Command("import")
    .description("Makes a click log of a real one: Criteo's, Parquet, or Meta's lookup traces.")
    .addOption(
      new Option("--format <format>", "what --from is")
        .choices([...IMPORT_FORMATS])
        .makeOptionMandatory(),
    )
    .requiredOption("--from <file>", "the log; gzip is seen by itself")
    .requiredOption("--model <dir>", "model directory whose tables the ids are for")
    .requiredOption("--out <file>", "click log to write (.arrow)")
    .option("--samples <n>", "stop after so many samples")
    .option(
      "--bad-lines-max <n>",
      "lines that may be left out before the import is given up",
      "100",
    )
    .option("--seed <n>", "seed of the hash, and of query sizes and times", "1")
    .option(
      "--column <feature=column>",
      "parquet: the column of a feature; repeatable",
      (value: string, before: readonly string[]) => [...before, value],
      [],
    )
    .option("--label-column <name>", "parquet: the column of 0 and 1 (label)")
    .option("--dense-columns <names>", "parquet: one list column, or one column a dense feature")
    .option("--hash", "parquet: hash integers too; without it they are row ids")
    .option("--trace-tables <numbers>", "dlrm-datasets: which tables the features read, in order")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nCategories become rows by a hash (MurmurHash3's finaliser over value, table and seed); a missing one is\n" +
        "category 0. Criteo's integers become ln(1 + x), missing ones 0. Samples are grouped in their order into\n" +
        "queries of MLPerf's sizes. See docs/guides/real-logs.md.\n" +
        "\nExamples:\n  shardpool clicks import --format criteo --from train.txt.gz --model model --out clicks.arrow\n" +
        "  shardpool clicks import --format parquet --from log.parquet --column user=user_id --model model --out clicks.arrow\n" +
        "  shardpool clicks import --format dlrm-datasets --from fbgemm_t856_bs65536_0.pt.gz --model model --out clicks.arrow",
    )
    .action(async (raw: unknown) => {
      const options = parseConfig(optionsSchema, raw, "clicks import");
      const imported = await runImport(options);
      if (options.json) console.log(JSON.stringify({ file: options.out, ...imported }));
      else printImported(imported, options);
    });
}

async function runImport(options: ImportCommandOptions): Promise<ImportedClicks> {
  const model = await openModel(options.model);
  const progress = startProgress("reading", bytesOf(options.from), "bytes");
  const context = importContextOf(options.from, model, options.seed, progress.update);
  const imported = await importClicks(readEntries(context, options), model, {
    ...options,
    samplesMax: options.samples,
  });
  progress.finish(`${formatCount(imported.sampleCount)} samples`);
  return imported;
}

function readEntries(
  context: ImportContext,
  options: ImportCommandOptions,
): AsyncIterable<ImportedEntry> {
  switch (options.format) {
    case "criteo":
      return readCriteo(context);
    case "parquet":
      return readParquet(context, { ...options, labelColumn: options.labelColumn });
    case "dlrm-datasets":
      return readDlrmDatasets(context, {
        ...options,
        unpackedPath: `${options.out}.unpacked-${process.pid}`,
      });
  }
}

function bytesOf(path: string): number {
  try {
    return statSync(path).size;
  } catch (error) {
    throw fromFileError(error, path);
  }
}

function printImported(imported: ImportedClicks, { out, from }: ImportCommandOptions): void {
  const { sampleCount, queryCount, rowIdCount, clickCount, badLineCount, badLines } = imported;
  console.log(
    `${out}: ${formatCount(sampleCount)} samples in ${formatCount(queryCount)} queries, ` +
      `${formatCount(rowIdCount)} row ids, ${((100 * clickCount) / sampleCount).toFixed(1)} % clicks`,
  );
  if (badLineCount === 0) return;
  console.log(`left out  ${badLineCount} bad lines of ${from}`);
  for (const bad of badLines) console.log(`  ${formatBadLine(bad)}`);
  if (badLineCount > badLines.length) console.log(`  and ${badLineCount - badLines.length} more`);
}
