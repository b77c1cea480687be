import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ShardpoolError } from "../../../lib/errors.js";
import type { JaggedBatch } from "../../../lib/jagged-batch.js";
import type { ModelManifest } from "../../../lib/model/manifest.js";
import { openModel } from "../../../lib/model/model-directory.js";
import type { ShardingPlan } from "../../../lib/plan/plan.js";
import { startProgress } from "../../cli/progress.js";
import { readClickLog, readClickQueries } from "../../clicks/click-log.js";
import { buildStores } from "../../cluster/build-stores.js";
import { makePlanFile } from "../plan-make.js";
import { parseMakeOptions } from "../plan-options.js";
import { type Judgement, judgeEstimates } from "./judge-estimates.js";
import { type MeasuredShard, measurePlan } from "./measure-plan.js";

/** Passes over the measured queries; of each shard's costs the least counts. */
const TURNS = 3;

export interface PlanCheckOptions {
  readonly model: string;
  readonly stats: string;
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
  })[];
}

export interface PlanCheck {
  readonly strategies: readonly CheckedStrategy[];
  /** Samples of a mean query of those measured; the plans were made for it. */
  readonly querySamples: number;
  readonly byCpu: Judgement;
  readonly byService: Judgement;
}

/**
 * Makes a plan by each strategy, builds its stores, starts its shards, sends them a log's queries with one
 * in flight, and compares what each shard was estimated to cost with what it did.
 *
 * @throws ShardpoolError CLICKS_INVALID when the log is too short; what planning, building and serving
 * throw.
 */
export async function runPlanCheck(options: PlanCheckOptions): Promise<PlanCheck> {
  const { manifest } = await openModel(options.model);
  const { warmup, queries } = await readQueries(options, manifest);
  const querySamples = queries.reduce((sum, batch) => sum + batch.sampleCount, 0) / queries.length;
  const dir = mkdtempSync(join(options.parentDir ?? tmpdir(), "shardpool-check-"));
  try {
    const strategies: CheckedStrategy[] = [];
    for (const strategy of options.strategies) {
      const strategyDir = join(dir, strategy);
      mkdirSync(strategyDir);
      const batches = { warmup, queries };
      strategies.push(
        await checkStrategy(options, manifest, strategy, strategyDir, querySamples, batches),
      );
      // One plan's stores at a time: they are as large as the model.
      rmSync(strategyDir, { recursive: true, force: true });
    }
    return {
      ...{ strategies, querySamples },
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

async function checkStrategy(
  options: PlanCheckOptions,
  manifest: ModelManifest,
  strategy: string,
  dir: string,
  querySamples: number,
  { warmup, queries }: Batches,
): Promise<CheckedStrategy> {
  const planFile = join(dir, "plan.json");
  const { model, stats, shards, cacheFraction, coefficients, signal } = options;
  const plan: ShardingPlan = await makePlanFile(
    parseMakeOptions({
      ...{ model, stats, shards, strategy, cacheFraction, querySamples, out: planFile },
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
  const queryCount = plan.shards.length * (warmup.length + TURNS * queries.length);
  const progress = startProgress(`${strategy}: measuring`, queryCount, "lookups");
  let done = 0;
  const measured = await measurePlan({
    ...{ manifest, plan, planFile, storeDir: dir, warmup, queries, turns: TURNS },
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

async function readQueries(
  { clicks, warmupQueries, queries: queryCount }: PlanCheckOptions,
  manifest: ModelManifest,
): Promise<Batches> {
  const batches: JaggedBatch[] = [];
  for await (const query of readClickQueries(readClickLog(clicks, { manifest }))) {
    batches.push(query.bags);
    if (batches.length === warmupQueries + queryCount) break;
  }
  if (batches.length < warmupQueries + queryCount) {
    throw new ShardpoolError(
      "CLICKS_INVALID",
      `${clicks} has ${batches.length} queries, ${warmupQueries} to warm up and ${queryCount} to measure are wanted`,
    );
  }
  return { warmup: batches.slice(0, warmupQueries), queries: batches.slice(warmupQueries) };
}
