import { existsSync, realpathSync } from "node:fs";
import { Command } from "commander";
import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import { ShardpoolError } from "../../lib/errors.js";
import { hashFile } from "../../lib/files.js";
import { openModel } from "../../lib/model/model-directory.js";
import type { AccessStats } from "../../lib/stats/access-stats.js";
import {
  countsPathOf,
  readAccessStats,
  writeAccessStats,
} from "../../lib/stats/access-stats-file.js";
import {
  mergeAccessStats,
  STATS_PARTS,
  type StatsParts,
} from "../../lib/stats/merge-access-stats.js";
import { startProgress } from "../cli/progress.js";
import { formatCount } from "../cli/table.js";
import { type ClickBatch, type ClickLog, openClickLog, sliceClickBatch } from "./click-log.js";
import { ClickCounter, EXACT_ROWS_MAX } from "./count-clicks.js";

const optionsSchema = z
  .strictObject({
    model: z.string().optional(),
    clicks: z.string().optional(),
    merge: z.array(z.string()).min(2).optional(),
    parts: z.enum(STATS_PARTS).default("periods"),
    out: z.string(),
    exactRowsMax: z.coerce
      .number()
      .int()
      .min(1)
      .max(2 ** 31)
      .default(EXACT_ROWS_MAX),
    exactStackDistances: z.boolean().default(false),
    queriesMax: z.coerce.number().int().min(1).optional(),
    json: z.boolean().default(false),
  })
  .refine(
    ({ model, clicks, merge }) =>
      merge === undefined
        ? model !== undefined && clicks !== undefined
        : model === undefined && clicks === undefined,
    { message: "give --model and --clicks, or --merge alone" },
  );

/** What {@link collectStats} needs; the rest has defaults. */
export interface CollectOptions {
  readonly model: string;
  readonly clicks: string;
  readonly out: string;
  /** Counters of 4 bytes over all tables; beyond them, counts are sketched. */
  readonly exactRowsMax?: number;
  /** Follows every row for the LRU curves, instead of a sample. */
  readonly exactStackDistances?: boolean;
  /** Counts the log's first so many queries; all of them unless told. */
  readonly queriesMax?: number | undefined;
}

/** `shardpool clicks stats`. */
export function clicksStatsCommand(): Command {
  return new Command("stats")
    .description("Counts what a click log reads, row by row: what a plan is made from.")
    .requiredOption("--out <file>", "statistics to write (.json; counts go beside it as .arrow)")
    .option("--model <dir>", "model directory the log is for")
    .option("--clicks <file>", "click log (.arrow)")
    .option("--merge <files...>", "statistics of one model to add up, instead of a log")
    .option("--parts <kind>", "what is merged: periods (other samples) or shards (other rows)")
    .option(
      "--exact-rows-max <n>",
      `counters of 4 bytes; beyond them counts are sketched (default: ${EXACT_ROWS_MAX})`,
    )
    .option("--exact-stack-distances", "LRU curves from every row, not a sample (slower)")
    .option("--queries-max <n>", "count the log's first n queries, to keep others for a check")
    .option("--json", "print the header as one JSON object")
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  shardpool clicks stats --model model --clicks clicks.arrow --out stats.json\n" +
        "  shardpool clicks stats --merge monday.json tuesday.json --out week.json\n" +
        "  shardpool clicks inspect stats.json",
    )
    .action(clicksStats);
}

async function clicksStats(raw: unknown): Promise<void> {
  const { merge, parts, json, ...rest } = parseConfig(optionsSchema, raw, "clicks stats");
  const stats =
    merge === undefined
      ? await collectStats({ ...rest, model: rest.model ?? "", clicks: rest.clicks ?? "" })
      : await mergeStats(merge, parts, rest.out);
  if (json) console.log(JSON.stringify(stats));
  else printSummary(rest.out, stats);
}

/**
 * Counts a click log and writes the statistics. Where counts had to be sketched, the log is read a
 * second time to count the rows that were found heavy exactly.
 *
 * @throws ShardpoolError CLICKS_INVALID for a log of another model, CONFIG_INVALID when the counts would
 * be written over the log, LIMIT_EXCEEDED, and what reading and writing throw.
 */
export async function collectStats(options: CollectOptions): Promise<AccessStats> {
  const { manifest, hash } = await openModel(options.model);
  assertLogIsKept(options.clicks, options.out);
  const counter = new ClickCounter(manifest, {
    ...(options.exactRowsMax === undefined ? {} : { exactRowsMax: options.exactRowsMax }),
    ...(options.exactStackDistances ? { sampledRowsMax: Number.POSITIVE_INFINITY } : {}),
  });
  const { sha256 } = await hashFile(options.clicks);
  const log = await openClickLog(options.clicks, { manifest });
  try {
    const { queriesMax } = options;
    await readThrough(log, "counting row reads", queriesMax, (batch) => counter.add(batch));
    if (counter.needsRecount) {
      counter.startRecount();
      const recount = (batch: ClickBatch): void => counter.recount(batch);
      await readThrough(log, "counting heavy rows exactly", queriesMax, recount);
    }
  } finally {
    await log.close();
  }
  const { countsByTable, ...counted } = counter.result();
  const { name, version } = manifest;
  return await writeAccessStats(
    options.out,
    { model: { name, version, hash }, source: sourceOf(sha256, options.queriesMax), ...counted },
    countsByTable,
  );
}

/** Counts go to `NAME.arrow` beside `NAME.json`, and a log may well have that name. */
function assertLogIsKept(clicks: string, out: string): void {
  const countsPath = countsPathOf(out);
  if (!existsSync(countsPath) || !existsSync(clicks)) return;
  if (realpathSync(countsPath) !== realpathSync(clicks)) return;
  throw new ShardpoolError(
    "CONFIG_INVALID",
    `--out ${out} writes its counts to ${countsPath}, which is the click log: give it another name`,
  );
}

/** What statistics of a log, or of its first queries, name as their source. */
export function sourceOf(sha256: string, queriesMax: number | undefined): string {
  return queriesMax === undefined ? sha256 : `first ${queriesMax} queries of ${sha256}`;
}

async function readThrough(
  log: ClickLog,
  label: string,
  queriesMax: number | undefined,
  take: (batch: ClickBatch) => void,
): Promise<void> {
  const progress = startProgress(label, log.batchCount, "batches");
  const queries = new FirstQueries(queriesMax ?? Number.POSITIVE_INFINITY);
  let done = 0;
  for await (const batch of log.batches()) {
    const counted = queries.cut(batch);
    if (counted.sampleCount > 0) take(counted);
    progress.update(++done);
    if (counted.sampleCount < batch.sampleCount) break;
  }
  progress.finish();
}

/** Cuts what lies behind a number of queries off a log's batches. */
class FirstQueries {
  #left: number;
  #query: number | undefined;

  constructor(count: number) {
    this.#left = count;
  }

  cut(batch: ClickBatch): ClickBatch {
    if (this.#left === Number.POSITIVE_INFINITY) return batch;
    let end = 0;
    for (; end < batch.sampleCount; end++) {
      if (batch.queries[end] === this.#query) continue;
      if (this.#left === 0) break;
      this.#left--;
      this.#query = batch.queries[end];
    }
    return end === batch.sampleCount ? batch : sliceClickBatch(batch, 0, end);
  }
}

/**
 * Adds up statistics files of one model.
 *
 * @throws ShardpoolError STATS_INVALID for different models, and what reading and writing throw.
 */
async function mergeStats(
  paths: readonly string[],
  parts: StatsParts,
  out: string,
): Promise<AccessStats> {
  const files = [];
  for (const path of paths) files.push(await readAccessStats(path));
  const { draft, countsByTable } = mergeAccessStats(files, parts);
  return await writeAccessStats(out, draft, countsByTable);
}

function printSummary(out: string, { sampleCount, queryCount, tables }: AccessStats): void {
  const reads = tables.reduce((sum, table) => sum + table.readCount, 0);
  const rows = tables.reduce((sum, table) => sum + table.distinctRowCount, 0);
  const sketched = tables.filter((table) => (table.unlistedCountMax ?? 0) > 0).length;
  console.log(
    `${out}: ${formatCount(sampleCount)} samples, ${formatCount(queryCount)} queries, ` +
      `${formatCount(reads)} reads of ${formatCount(rows)} rows, ` +
      `${(reads / Math.max(1, rows)).toFixed(2)} reads a touched row`,
  );
  if (sketched > 0) {
    console.log(
      `${sketched} of ${tables.length} tables are sketched: clicks inspect says how well`,
    );
  }
}
