import { mkdtempSync, rmSync } from "node:fs";
import { cpus, hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { ShardpoolError } from "../../../lib/errors.js";
import { readJsonFile } from "../../../lib/files.js";
import { parsePlan, type ShardingPlan } from "../../../lib/plan/plan.js";
import {
  type CostCoefficients,
  DEFAULT_COEFFICIENTS,
  parseCoefficients,
} from "../../../services/planner/cost-model.js";
import { medianOf } from "../../cli/median.js";
import { startProgress } from "../../cli/progress.js";
import { buildStores, storeFileOf } from "../../cluster/build-stores.js";
import { type ServiceProcess, startServiceProcess } from "../../cluster/service-process.js";
import { makePlanFile } from "../plan-make.js";
import { parseMakeOptions } from "../plan-options.js";
import { CALIBRATION_ROWS, writeCalibrationModel } from "./calibration-model.js";
import { CALIBRATION_SHAPES, MISS_SHAPES } from "./calibration-shapes.js";
import { fitCosts, fittedUs, type MeasuredShape } from "./fit-costs.js";
import { type MeasuredDense, measureDense } from "./measure-dense.js";
import { HIT_ROUNDS, type MeasuredMiss, measureHits, measureMisses } from "./measure-shard.js";

const SHARD = "shard-0";
const START_TIMEOUT_MS = 60_000;
const STOP_GRACE_MS = 5000;
/** Share of the rows in memory where misses are measured. */
const MISS_CACHE_FRACTION = 0.02;

export interface CalibrationOptions {
  /** Time the measurement may take, without making the rows. */
  readonly seconds: number;
  readonly seed: number;
  /** Rows of each table; fewer are faster and stay in the processor's cache. */
  readonly rowCount?: number;
  /** Model whose dense part is timed; MLPerf's DLRM unless told. */
  readonly modelDir?: string;
  /** Where a folder is made for the time it takes; the system's unless told. */
  readonly parentDir?: string;
  readonly signal: AbortSignal;
}

/** Costs, and what they were worked out from. */
export interface Calibration {
  readonly coefficients: CostCoefficients;
  readonly shapes: readonly (MeasuredShape & { readonly fittedUs: number })[];
  readonly misses: readonly MeasuredMiss[];
  readonly dense: MeasuredDense;
  /** Root of the mean square of the relative errors of the fit. */
  readonly fitError: number;
}

/**
 * Measures what work costs on this machine: a shard process is started on made-up tables and asked
 * over its stream with one lookup in flight; its own CPU clock says what each kind of lookup took, and least
 * squares share that out. Leaves no process and no file behind.
 *
 * @throws ShardpoolError PROCESS_FAILED, DISK_FULL, CALL_CANCELLED.
 */
export async function calibrate(options: CalibrationOptions): Promise<Calibration> {
  const dir = mkdtempSync(join(options.parentDir ?? tmpdir(), "shardpool-calibrate-"));
  try {
    return await calibrateIn(dir, options);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function calibrateIn(dir: string, options: CalibrationOptions): Promise<Calibration> {
  const { seed, rowCount = CALIBRATION_ROWS, signal } = options;
  const paths = await makeStore(dir, rowCount, signal);
  const rounds = CALIBRATION_SHAPES.length * HIT_ROUNDS;
  const turnSeconds = (options.seconds * 0.6) / rounds;
  const progress = startProgress("measuring lookups", rounds + MISS_SHAPES.length, "turns");
  let done = 0;
  const measuring = {
    ...{ rowCount, seed, turnSeconds },
    onStep: () => {
      if (signal.aborted) throw new ShardpoolError("CALL_CANCELLED", "measuring was stopped");
      progress.update(++done);
    },
  };
  const hits = await withShard(paths, paths.fullPlan, (address) =>
    measureHits(CALIBRATION_SHAPES, { ...measuring, address }),
  );
  const costs = fitCosts(hits.shapes);
  const missSeconds = (options.seconds * 0.25) / (MISS_SHAPES.length * HIT_ROUNDS);
  const misses = await withShard(paths, paths.missPlan, (address) =>
    measureMisses(MISS_SHAPES, costs, { ...measuring, address, turnSeconds: missSeconds }),
  );
  progress.finish();
  const dense = await measureDense(dir, options.modelDir, options.seconds * 0.15);
  const shapes = hits.shapes.map((one) => ({ ...one, fittedUs: fittedUs(costs, one.shape) }));
  const squares = shapes.map((one) => (one.fittedUs / one.cpuUs - 1) ** 2);
  return {
    coefficients: parseCoefficients(
      {
        formatVersion: DEFAULT_COEFFICIENTS.formatVersion,
        source: `${hostname()}, ${cpus()[0]?.model ?? "unknown processor"}, ${new Date().toISOString().slice(0, 10)}`,
        ...costs,
        blockMissUs: rounded(Math.max(0, medianOf(misses.map(({ blockUs }) => blockUs)))),
        blockBytes: DEFAULT_COEFFICIENTS.blockBytes,
        denseSampleUs: rounded(dense.sampleUs),
        fanOutUs: rounded(hits.clientMessageUs),
      },
      "calibration",
    ),
    ...{ shapes, misses, dense },
    fitError: Math.sqrt(squares.reduce((sum, value) => sum + value, 0) / squares.length),
  };
}

interface CalibrationPaths {
  readonly dir: string;
  readonly fullPlan: string;
  readonly missPlan: string;
}

async function makeStore(
  dir: string,
  rowCount: number,
  signal: AbortSignal,
): Promise<CalibrationPaths> {
  const model = join(dir, "model");
  const progress = startProgress("making rows and a store", 3, "steps");
  await writeCalibrationModel(model, rowCount);
  progress.update(1);
  const planOf = async (name: string, cacheFraction: number): Promise<ShardingPlan> => {
    const out = join(dir, name);
    const raw = { model, out, shards: 1, strategy: "one-shard", cacheFraction };
    await makePlanFile(parseMakeOptions(raw));
    return parsePlan(await readJsonFile(out), out);
  };
  const paths = { dir, fullPlan: join(dir, "full.json"), missPlan: join(dir, "miss.json") };
  const plan = await planOf("full.json", 1);
  await planOf("miss.json", MISS_CACHE_FRACTION);
  progress.update(2);
  await buildStores({
    ...{ modelDir: model, planFile: paths.fullPlan, plan, statsFile: undefined },
    ...{ storeDir: dir, signal },
  });
  progress.finish();
  return paths;
}

async function withShard<T>(
  { dir }: CalibrationPaths,
  planFile: string,
  measure: (address: string) => Promise<T>,
): Promise<T> {
  const shard: ServiceProcess = await startServiceProcess({
    name: SHARD,
    args: [
      ...["shard", "serve", "--store", storeFileOf(dir, SHARD), "--plan", planFile],
      ...["--shard", SHARD, "--listen", "127.0.0.1:0"],
    ],
    logFile: join(dir, "shard.log"),
    startTimeoutMs: START_TIMEOUT_MS,
  });
  try {
    const died = shard.ended.then((error) => {
      throw error;
    });
    // Once it is stopped on purpose nobody waits for this any more.
    died.catch(() => {});
    return await Promise.race([measure(shard.ready.address), died]);
  } finally {
    await shard.stop(STOP_GRACE_MS);
  }
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
