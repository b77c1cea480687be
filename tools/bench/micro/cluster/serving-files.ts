import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Model, openModel } from "../../../../lib/model/model-directory.js";
import type { ShardingPlan } from "../../../../lib/plan/plan.js";
import { buildStores } from "../../../cluster/build-stores.js";
import { synthModel } from "../../../model/synth/synth-model.js";
import { makePlanFile } from "../../../plan/plan-make.js";
import { HOT_WORKLOAD, type LookupWorkload, scaleWorkload } from "../lookup/lookup-workload.js";
import type { MicroContext } from "../micro-bench.js";

export const SHARD_COUNT = 4;
const DENSE_FEATURE_COUNT = 13;
const MODEL_SEED = 1;

/** What the processes of a cluster are started from. */
export interface ServingFiles {
  readonly workload: LookupWorkload;
  readonly model: Model;
  readonly planFile: string;
  readonly plan: ShardingPlan;
  readonly storeDir: string;
}

/**
 * Model, plan and stores of the cluster benchmarks: tables 26 x 100k x 64, everything in memory, and
 * the MLPs of the PyTorch peer (13-512-256-64, dot, 512-256-1). Kept between runs.
 */
export async function servingFiles(context: MicroContext): Promise<ServingFiles> {
  const workload = scaleWorkload(HOT_WORKLOAD, context.scale);
  const dir = join(context.cacheDir, `serving-${workload.tableCount}x${workload.rowCount}`);
  const modelDir = join(dir, "model");
  if (!existsSync(modelDir)) {
    context.note(`making the model, kept in ${dir}`);
    await synthesise(workload, modelDir);
  }
  const planFile = join(dir, `plan-${SHARD_COUNT}.json`);
  const plan = await makePlanFile({
    ...{ model: modelDir, out: planFile, shards: SHARD_COUNT, strategy: "capacity" },
    ...{ cacheFraction: 1, seed: MODEL_SEED, json: false, outlook: false },
  });
  const storeDir = join(dir, "stores");
  context.note(`building ${SHARD_COUNT} stores where they are not there yet`);
  const { signal } = new AbortController();
  await buildStores({ modelDir, planFile, plan, statsFile: undefined, storeDir, signal });
  return { workload, model: await openModel(modelDir), planFile, plan, storeDir };
}

async function synthesise(workload: LookupWorkload, out: string): Promise<void> {
  const { tableCount, rowCount, embeddingDim, bagLength, dtype } = workload;
  const preset = {
    title: "cluster benchmarks",
    rowCounts: new Array<number>(tableCount).fill(rowCount),
    poolingFactors: new Array<number>(tableCount).fill(bagLength),
    embeddingDim,
    denseFeatureCount: DENSE_FEATURE_COUNT,
    bottomHidden: [512, 256],
    topHidden: [512, 256],
    interaction: "dot" as const,
  };
  await synthModel({ preset, name: "dlrm", seed: MODEL_SEED, dtype, out, onRows: () => {} });
}
