import { join } from "node:path";
import type { Model } from "../../../../lib/model/model-directory.js";
import { partitionIdOf, type ShardingPlan, sealPlan } from "../../../../lib/plan/plan.js";
import type { AccessStatsFile } from "../../../../lib/stats/access-stats-file.js";
import { buildShardStore, type LookupEngine, openLookupEngine } from "../../../../shards/index.js";
import type { MicroContext } from "../micro-bench.js";

export const SHARD_ID = "shard-0";

/** A plan that puts every table whole on one shard, all of it in memory. */
export function wholeTablesPlan(model: Model, statsHash: string | null): ShardingPlan {
  const { manifest, hash } = model;
  const range = (rowCount: number, columnCount: number) => ({
    ...{ rowStart: 0, rowEnd: rowCount, columnStart: 0, columnEnd: columnCount },
  });
  return sealPlan({
    formatVersion: 1,
    epoch: 1,
    model: { name: manifest.name, version: manifest.version, hash },
    statsHash,
    strategy: "one-shard",
    shards: [{ id: SHARD_ID, memoryBytesMax: 2 ** 40, diskBytesMax: 2 ** 40, weight: 1 }],
    partitions: manifest.tables.map(({ name, rowCount, embeddingDim }) => {
      const place = { table: name, ...range(rowCount, embeddingDim) };
      const id = partitionIdOf({ modelHash: hash, ...place, statsHash });
      return { id, ...place, shards: [SHARD_ID], cacheBytes: 2 ** 40, pinnedRows: 0 };
    }),
    estimate: [],
  });
}

/**
 * Opens an engine over a store of the whole model, built for this run, and brings every row in.
 *
 * @param stats Lays the rows out by it; without, they lie in row-id order.
 */
export async function openWarmEngine(
  model: Model,
  { runDir, note }: Pick<MicroContext, "runDir" | "note">,
  stats?: AccessStatsFile,
): Promise<LookupEngine> {
  const storePath = join(runDir, `${model.manifest.name}.sqlite`);
  note(`building the store of ${model.manifest.name}`);
  const plan = wholeTablesPlan(model, stats?.hash ?? null);
  const build = { modelDir: model.dir, plan, shardId: SHARD_ID, out: storePath };
  await buildShardStore(stats === undefined ? build : { ...build, stats });
  const engine = openLookupEngine({ storePath });
  try {
    await engine.preload();
    return engine;
  } catch (error) {
    engine.close();
    throw error;
  }
}
