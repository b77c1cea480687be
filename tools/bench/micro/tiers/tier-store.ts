import { join } from "node:path";
import type { Model } from "../../../../lib/model/model-directory.js";
import type { AccessStatsFile } from "../../../../lib/stats/access-stats-file.js";
import { buildShardStore } from "../../../../shards/index.js";
import { SHARD_ID, wholeTablesPlan } from "../lookup/lookup-store.js";
import type { MicroContext } from "../micro-bench.js";

/** Builds a store of the whole model for this run, its rows laid out by statistics or by row id. */
export async function buildTierStore(
  model: Model,
  name: string,
  { runDir, note }: Pick<MicroContext, "runDir" | "note">,
  stats?: AccessStatsFile,
): Promise<string> {
  const out = join(runDir, `${name}.sqlite`);
  note(`building store ${name}`);
  const plan = wholeTablesPlan(model, stats?.hash ?? null);
  const build = { modelDir: model.dir, plan, shardId: SHARD_ID, out };
  await buildShardStore({ ...build, ...(stats && { stats }) });
  return out;
}
