import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ShardpoolError } from "../../../lib/errors.js";
import { hashFile } from "../../../lib/files.js";
import type { JaggedBatch } from "../../../lib/jagged-batch.js";
import type { ModelManifest } from "../../../lib/model/manifest.js";
import { openModel } from "../../../lib/model/model-directory.js";
import type { ShardingPlan } from "../../../lib/plan/plan.js";
import { readAccessStats } from "../../../lib/stats/access-stats-file.js";
import { startProgress } from "../../cli/progress.js";
import { readClickLog, readClickQueries } from "../../clicks/click-log.js";
import { collectStats } from "../../clicks/clicks-stats.js";
import { buildStores } from "../../cluster/build-stores.js";
import { makePlanFile } from "../plan-make.js";
import { parseMakeOptions } from "../plan-options.js";
import { type Judgement, judgeEstimates } from "./judge-estimates.js";
import { type MeasuredShard, measurePlan } from "./measure-plan.js";

export interface PlanCheckOptions {
  readonly model: string;
  /** Counted from the log's queries before those that warm up and are measured unless told. */
  readonly stats?: string;
  readonly clicks: string;
  readonly shards: number;
  readonly strategies: readonly string[];
  readonly coefficients?: string;
  readonly cacheFraction: number;
  readonly warmupQueries: number;
  readonly queries: number;
  readonly signal: AbortSignal;
  /** Where a folder is made for the time it takes; the system's unless told. */
  readonly parentDir?: string;
}

/** A strategy's plan, shard by shard. */
export interface CheckedStrategy {
  readonly strategy: string;
  readonly shards: readonly (MeasuredShard & {
    readonly estimatedUs: number;
    readonly estimatedHitRatio: number | null;
    readonly estimatedBlocks: number;
  })[];
}

export interface PlanCheck {
  readonly strategies: readonly CheckedStrategy[];
  /** Samples of a mean query of those measured; the plans were made for it. */
  readonly querySamples: number;
  /** What the statistics were counted from. */
  readonly statsSource: string;
  /** Whether that is the very log whose queries were measured: then more hits than a forecast can know of. */
  readonly statsKnowQueries: boolean;
  readonly byCpu: Judgement;
  readonly byService: Judgement;
}

/**
 * Makes a plan by each strategy, builds its stores, starts its shards, sends them a log's last queries with one
 * in flight, and compares what each shard was estimated to cost with what it did. Unless statistics are
 * given, the queries before are what the plans are made from, so that the estimates are forecasts. Queries that
 * warm up are not among them either: with all their rows in memory they would warm up no way to the disk.
 *
 * @throws ShardpoolError CLICKS_INVALID when the log is too short; what planning, building and serving
 * throw.
 */
export async function runPlanCheck(options: PlanCheckOptions): Promise<PlanCheck> {
  const { manifest } = await openModel(options.model);
  const { queryCount, warmup, queries } = await readQueries(options, manifest);
  const wanted = warmup.length + queries.length;
  const querySamples = queries.reduce((sum, batch) => sum + batch.sampleCount, 0) / queries.length;
  const dir = mkdtempSync(join(options.parentDir ?? tmpdir(), "shardpool-check-"));
  try {
    const stats = options.stats ?? join(dir, "stats.json");
    if (options.stats === undefined) {
      const { model, clicks } = options;
      await collectStats({ model, clicks, out: stats, queriesMax: queryCount - wanted });
    }
    const { source } = (await readAccessStats(stats)).header;
    const strategies: CheckedStrategy[] = [];
    for (const strategy of options.strategies) {
      const strategyDir = join(dir, strategy);
      mkdirSync(strategyDir);
      const task = { ...options, stats, manifest, strategy, dir: strategyDir, querySamples };
      strategies.push(await checkStrategy(task, { warmup, queries }));
      // One plan's stores at a time: they are as large as the model.
      rmSync(strategyDir, { recursive: true, force: true });
    }
    return {
      ...{ strategies, querySamples, statsSource: source },
      statsKnowQueries: source === (await hashFile(options.clicks)).sha256,
      byCpu: judge(strategies, (shard) => shard.cpuUs),
      byService: judge(strategies, (shard) => shard.serviceUs),
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

interface Batches {
  readonly warmup: readonly JaggedBatch[];
  readonly queries: readonly JaggedBatch[];
}

interface StrategyTask extends PlanCheckOptions {
  readonly stats: string;
  readonly manifest: ModelManifest;
  readonly strategy: string;
  /** A folder of its own. */
  readonly dir: string;
  readonly querySamples: number;
}

async function checkStrategy(
  task: StrategyTask,
  { warmup, queries }: Batches,
): Promise<CheckedStrategy> {
  const { manifest, strategy, dir, querySamples } = task;
  const { model, stats, shards, cacheFraction, coefficients, signal } = task;
  const planFile = join(dir, "plan.json");
  const plan: ShardingPlan = await makePlanFile(
    parseMakeOptions({
      ...{ model, stats, shards, strategy, cacheFraction, querySamples, out: planFile },
      outlook: false,
      ...(coefficients === undefined ? {} : { coefficients }),
    }),
  );
  const building = startProgress(`${strategy}: building stores`, plan.shards.length, "stores");
  let built = 0;
  await buildStores({
    ...{ modelDir: model, planFile, plan, statsFile: stats, storeDir: dir, signal },
    onBuilt: () => building.update(++built),
  });
  building.finish();
  const queryCount = plan.shards.length * (warmup.length + queries.length);
  const progress = startProgress(`${strategy}: measuring`, queryCount, "lookups");
  let done = 0;
  const measured = await measurePlan({
    ...{ manifest, plan, planFile, storeDir: dir, warmup, queries },
    onQuery: () => {
      if (signal.aborted) throw new ShardpoolError("CALL_CANCELLED", "measuring was stopped");
      progress.update(++done);
    },
  });
  progress.finish();
  return {
    strategy,
    shards: measured.map((shard) => {
      const estimate = plan.estimate.find((entry) => entry.shard === shard.shard);
      return {
        ...shard,
        estimatedUs: estimate?.costUs ?? 0,
        estimatedHitRatio: estimate?.hitRatio ?? null,
        estimatedBlocks: plan.partitions
          .filter(({ shards: holders }) => holders.includes(shard.shard))
          .reduce(
            (sum, part) => sum + (part.estimate?.blocksPerQuery ?? 0) / part.shards.length,
            0,
          ),
      };
    }),
  };
}

function judge(
  strategies: readonly CheckedStrategy[],
  measuredOf: (shard: MeasuredShard) => number,
): Judgement {
  const shards = strategies.flatMap(({ shards: own }) =>
    own.map((shard) => ({ estimatedUs: shard.estimatedUs, measuredUs: measuredOf(shard) })),
  );
  const slowest = strategies.map(({ strategy, shards: own }) => ({
    strategy,
    estimatedUs: Math.max(...own.map((shard) => shard.estimatedUs)),
    measuredUs: Math.max(...own.map(measuredOf)),
  }));
  return judgeEstimates(shards, slowest);
}

/** The log's last queries: some to warm up, then those to measure. */
async function readQueries(
  { clicks, warmupQueries, queries: measuredCount }: PlanCheckOptions,
  manifest: ModelManifest,
): Promise<Batches & { readonly queryCount: number }> {
  const wanted = warmupQueries + measuredCount;
  const last: JaggedBatch[] = [];
  let queryCount = 0;
  for await (const query of readClickQueries(readClickLog(clicks, { manifest }))) {
    last[queryCount++ % wanted] = query.bags;
  }
  // One query at least has to be left for the statistics.
  if (queryCount <= wanted) {
    throw new ShardpoolError(
      "CLICKS_INVALID",
      `${clicks} has ${queryCount} queries, ${warmupQueries} to warm up and ${measuredCount} to measure are wanted, and others to count`,
    );
  }
  const first = queryCount % wanted;
  const inOrder = [...last.slice(first), ...last.slice(0, first)];
  return {
    queryCount,
    warmup: inOrder.slice(0, warmupQueries),
    queries: inOrder.slice(warmupQueries),
  };
}
