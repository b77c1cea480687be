import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ShardpoolError } from "../../../lib/errors.js";
import type { ShardingPlan } from "../../../lib/plan/plan.js";
import { buildStores } from "../../cluster/build-stores.js";
import { type LocalCluster, startLocalCluster } from "../../cluster/local-cluster.js";
import { type ServiceProcess, startServiceProcess } from "../../cluster/service-process.js";
import { makePlanFile } from "../../plan/plan-make.js";
import { parseMakeOptions } from "../../plan/plan-options.js";
import { median } from "../compare/statistics.js";
import type { BenchQueries } from "../load/bench-queries.js";
import { LatencyHistogram } from "../load/latency-histogram.js";
import type { LatencyResult } from "../load/latency-result.js";
import { measureQueries } from "../load/measure-queries.js";
import { STAGES } from "../load/stages.js";
import { type CellName, cellKey, type GridCell, type GridSide } from "./grid-cell.js";
import type { GridOptions } from "./grid-options.js";

const START_TIMEOUT_MS = 120_000;
const STOP_GRACE_MS = 10_000;

/** What every cell of a grid is measured with. */
export interface GridBench {
  readonly options: GridOptions;
  readonly source: BenchQueries;
  readonly fileHashes: readonly string[];
  readonly signal: AbortSignal;
}

/**
 * Plans, builds the stores, starts the cluster and beside it a single process on the same stores, and
 * runs both in turns with one query in flight. A plan that does not fit is an outcome and not an error.
 *
 * @throws ShardpoolError CALL_CANCELLED after `signal`.
 */
export async function measureCell(name: CellName, bench: GridBench): Promise<GridCell> {
  const { options, fileHashes, signal } = bench;
  const { strategy, shardCount } = name;
  const key = cellKey(name, options, fileHashes);
  const folder = join(options.out, `${strategy}-${shardCount}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  try {
    const measured = await measurePlan(name, folder, bench);
    return { status: "measured", key, strategy, shardCount, ...measured };
  } catch (error) {
    if (signal.aborted) throw new ShardpoolError("CALL_CANCELLED", "the grid was interrupted");
    if (!(error instanceof ShardpoolError)) throw error;
    const status = error.code === "PLAN_DOES_NOT_FIT" ? "refused" : "failed";
    return { status, key, strategy, shardCount, reason: error.message };
  } finally {
    if (!options.keepStores) rmSync(folder, { recursive: true, force: true });
  }
}

type Measurement = Omit<
  Extract<GridCell, { status: "measured" }>,
  "status" | "key" | keyof CellName
>;

async function measurePlan(name: CellName, folder: string, bench: GridBench): Promise<Measurement> {
  const { options, signal } = bench;
  const planFile = join(folder, "plan.json");
  const plan = await makePlanFile(
    parseMakeOptions({
      model: options.model,
      stats: options.stats,
      shards: name.shardCount,
      strategy: name.strategy,
      cacheFraction: options.cacheFraction,
      out: planFile,
    }),
  );
  const storeDir = join(folder, "stores");
  mkdirSync(storeDir, { recursive: true });
  const modelDir = options.model;
  await buildStores({ modelDir, planFile, plan, statsFile: options.stats, storeDir, signal });
  const files = { modelDir, planFile, plan, storeDir, logDir: join(folder, "logs") };
  const cluster = await startLocalCluster({ ...files, grpcAddress: "127.0.0.1:0" });
  try {
    const single = await startSingle(files);
    try {
      return await measureInTurns(plan, cluster, single, bench);
    } finally {
      await single.stop(STOP_GRACE_MS);
    }
  } finally {
    await cluster.stop();
  }
}

function startSingle(files: {
  readonly modelDir: string;
  readonly planFile: string;
  readonly storeDir: string;
  readonly logDir: string;
}): Promise<ServiceProcess> {
  return startServiceProcess({
    name: "single-process",
    args: [
      ...["bench", "single-process", "--model", files.modelDir, "--plan", files.planFile],
      ...["--stores", files.storeDir, "--grpc", "127.0.0.1:0"],
    ],
    logFile: join(files.logDir, "single-process.log"),
    startTimeoutMs: START_TIMEOUT_MS,
  });
}

async function measureInTurns(
  plan: ShardingPlan,
  cluster: LocalCluster,
  single: ServiceProcess,
  bench: GridBench,
): Promise<Measurement> {
  const { frontend, shards } = cluster.topology();
  const clusterPids = Object.fromEntries([frontend, ...shards].map(({ name, pid }) => [name, pid]));
  await warmUp(frontend.address, bench);
  await warmUp(single.ready.address, bench);
  const runs = { cluster: [] as LatencyResult[], single: [] as LatencyResult[] };
  for (let round = 0; round < bench.options.rounds; round++) {
    const sides =
      round % 2 === 0 ? (["single", "cluster"] as const) : (["cluster", "single"] as const);
    for (const side of sides) {
      const run =
        side === "cluster"
          ? await measureOnce(frontend.address, clusterPids, bench)
          : await measureOnce(single.ready.address, { "single-process": single.pid }, bench);
      runs[side].push(run);
    }
  }
  const clusterSide = mergeRuns(runs.cluster);
  const singleSide = mergeRuns(runs.single);
  return {
    shardsUsed: new Set(plan.partitions.flatMap((partition) => partition.shards)).size,
    partitionCount: plan.partitions.length,
    estimateUs: Math.max(...plan.estimate.map(({ costUs }) => costUs)),
    cluster: clusterSide,
    single: singleSide,
    ...overheadOf(runs.cluster.map(sideOf), runs.single.map(sideOf)),
  };
}

const sideOf = (run: LatencyResult): GridSide => mergeRuns([run]);

/**
 * The median of the rounds' own ratios: a round's two runs follow each other, so a machine that grows
 * slower from round to round does not pass for overhead, and the median lies within the rounds shown.
 */
export function overheadOf(
  cluster: readonly GridSide[],
  single: readonly GridSide[],
): Pick<Measurement, "overhead" | "p50RatioRange"> {
  const ratios = (value: (side: GridSide) => number): number[] =>
    cluster.map((side, round) => value(side) / value(single[round]!));
  const p50Ratios = ratios(({ latencyMs }) => latencyMs.p50);
  return {
    overhead: {
      p50: median(p50Ratios),
      p90: median(ratios(({ latencyMs }) => latencyMs.p90)),
      p99: median(ratios(({ latencyMs }) => latencyMs.p99)),
      cpu: median(ratios(({ cpuMs }) => cpuMs)),
    },
    p50RatioRange: { low: Math.min(...p50Ratios), high: Math.max(...p50Ratios) },
  };
}

/** The whole log once, so that neither side's first run reads what the other's has in memory. */
async function warmUp(target: string, { options, source, signal }: GridBench): Promise<void> {
  const { model: modelDir, clicks: clicksFile } = options;
  const onePass = { scenario: "offline", window: 2, seconds: 0.001, warmupSeconds: 0 } as const;
  await measureQueries(source, { target, modelDir, clicksFile, ...onePass }, { signal });
}

async function measureOnce(
  target: string,
  pids: Readonly<Record<string, number>>,
  { options, source, signal }: GridBench,
): Promise<LatencyResult> {
  const { model: modelDir, clicks: clicksFile, seconds, warmupSeconds, seed } = options;
  const result = await measureQueries(
    source,
    { target, modelDir, clicksFile, scenario: "single-stream", seconds, warmupSeconds, seed, pids },
    { signal },
  );
  if (signal.aborted) throw new ShardpoolError("CALL_CANCELLED", "the grid was interrupted");
  if (result.latencyMs === null) {
    throw new ShardpoolError("TARGET_UNAVAILABLE", `${target} answered none of a run's queries`);
  }
  return result;
}

/** Runs of one configuration as one: histograms merged, CPU time and queries summed. */
export function mergeRuns(runs: readonly LatencyResult[]): GridSide {
  const histogram = new LatencyHistogram();
  for (const run of runs) histogram.add(LatencyHistogram.decode(run.latencyHistogram));
  const sum = (value: (run: LatencyResult) => number): number =>
    runs.reduce((total, run) => total + value(run), 0);
  const answeredCount = sum((run) => run.answeredCount);
  const rowsHit = sum((run) => run.rowsHit);
  const rowCount = rowsHit + sum((run) => run.rowsMissed);
  const servers = Object.keys(runs[0]!.cpuSecondsByProcess).filter((name) => name !== "client");
  const cpuMsByProcess = Object.fromEntries(
    servers.map((name) => [
      name,
      (sum((run) => run.cpuSecondsByProcess[name] ?? 0) * 1000) / answeredCount,
    ]),
  );
  const { p50, p90, p99, mean } = histogram.summary()!;
  return {
    queryCount: sum((run) => run.queryCount),
    failedCount: sum((run) => run.queryCount - run.answeredCount),
    latencyMs: { p50, p90, p99, mean },
    cpuMs: Object.values(cpuMsByProcess).reduce((total, ms) => total + ms, 0),
    cpuMsByProcess,
    memoryPeakBytesByProcess: Object.fromEntries(
      servers.map((name) => [
        name,
        Math.max(...runs.map((run) => run.memoryPeakBytesByProcess[name] ?? 0)),
      ]),
    ),
    hitRatio: rowCount === 0 ? null : rowsHit / rowCount,
    stagesMs: mergeStages(runs, answeredCount),
  };
}

function mergeStages(runs: readonly LatencyResult[], answeredCount: number): GridSide["stagesMs"] {
  if (runs.some(({ stagesMs }) => stagesMs === null)) return null;
  return Object.fromEntries(
    STAGES.map(({ name }) => [
      name,
      runs.reduce((total, run) => total + run.stagesMs![name].mean * run.answeredCount, 0) /
        answeredCount,
    ]),
  );
}
