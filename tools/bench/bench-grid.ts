import { join } from "node:path";
import { Command } from "commander";
import { ShardpoolError } from "../../lib/errors.js";
import { writeFileWhole, writeJsonFile } from "../../lib/files.js";
import { STRATEGIES } from "../../services/planner/strategy.js";
import { takeOverStopSignals } from "../cli/stop-signals.js";
import { formatGrid, formatRatio } from "./grid/format-grid.js";
import type { GridCell } from "./grid/grid-cell.js";
import { type GridOptions, parseGridOptions } from "./grid/grid-options.js";
import { type GridResult, runGrid } from "./grid/run-grid.js";
import { formatMs } from "./load/format-numbers.js";

const EXAMPLE = `
Example:
  shardpool bench grid --model model --clicks clicks.arrow --stats stats.json --out grid

For each cell it makes the plan, builds the stores, starts the cluster and, on the same stores, frontend and
engines in one process, and runs both in turns with one query in flight. It leaves grid.json, grid.html and a
file a cell; a cell that is there already is not run again unless the model, the log, the statistics or an
option is another, or --fresh is given. The question is that of Lui et al., Understanding Capacity-Driven
Scale-Out Neural Recommendation Inference (ISPASS 2021): what distribution costs, by strategy.`;

/** `shardpool bench grid`. */
export function benchGridCommand(): Command {
  return new Command("grid")
    .description("Measures strategies x shard counts against one process: what distribution costs.")
    .requiredOption("--model <dir>", "model directory")
    .requiredOption("--clicks <file>", "click log of the queries")
    .requiredOption("--stats <file>", "access statistics to plan from")
    .requiredOption("--out <dir>", "folder for cells, grid.json and grid.html")
    .option("--strategies <list>", "with commas between", Object.keys(STRATEGIES).join(","))
    .option("--shard-counts <list>", "with commas between", "1,2,4,8")
    .option("--cache-fraction <f>", "cache as a part of row bytes, 0 to 1", "1")
    .option("--seconds <n>", "of one run", "5")
    .option("--warmup-seconds <n>", "before each run, not measured", "2")
    .option("--rounds <n>", "runs of each side in a cell", "3")
    .option("--seed <n>", "of the runs", "1")
    .option("--fresh", "run every cell again")
    .option("--keep-stores", "leave plans, stores and logs of each cell in the folder")
    .option("--json", "print grid.json instead of the table")
    .addHelpText("after", EXAMPLE)
    .action(async (raw: unknown) => runGridCommand(parseGridOptions(raw)));
}

async function runGridCommand(options: GridOptions): Promise<void> {
  const stop = takeOverStopSignals();
  try {
    const result = await runGrid(options, {
      signal: stop.signal,
      onCell: ({ strategy, shardCount }, index, count, isKept) =>
        process.stderr.write(
          `cell ${index + 1} of ${count}: ${strategy} on ${shardCount}${isKept ? " (kept)" : ""} … `,
        ),
      onMeasured: (cell) => console.error(describeCell(cell)),
    });
    await writeJsonFile(join(options.out, "grid.json"), result);
    const page = join(options.out, "grid.html");
    const { renderGridPage } = await import("./page/grid-page.js");
    await writeFileWhole(page, renderGridPage(result));
    console.log(options.json ? JSON.stringify(result) : `\n${formatGrid(result)}\n\npage: ${page}`);
    assertNoneFailed(result);
  } finally {
    stop.release();
  }
}

function describeCell(cell: GridCell): string {
  if (cell.status !== "measured") return `${cell.status}: ${cell.reason}`;
  const { p50, p99, cpu } = cell.overhead;
  return `p50 ${formatMs(cell.cluster.latencyMs.p50)} ms, ${formatRatio(p50)} of one process, p99 ${formatRatio(p99)}, CPU ${formatRatio(cpu)}`;
}

function assertNoneFailed({ cells }: GridResult): void {
  const failed = cells.filter(({ status }) => status === "failed");
  if (failed.length === 0) return;
  const names = failed.map(({ strategy, shardCount }) => `${strategy} on ${shardCount}`);
  throw new ShardpoolError("PROCESS_FAILED", `cells failed: ${names.join(", ")}`);
}
