// A process that builds a store and says when it begins; `build-killer.ts` starts it.
import { readJsonFile } from "../../lib/files.js";
import { parsePlan } from "../../lib/plan/plan.js";
import { readAccessStats } from "../../lib/stats/access-stats-file.js";
import { buildShardStore } from "../../shards/index.js";
import type { ChildBuild } from "./build-killer.js";

const { modelDir, planFile, statsFile, out } = JSON.parse(process.argv[2]!) as ChildBuild;
const plan = parsePlan(await readJsonFile(planFile), planFile);
const stats = await readAccessStats(statsFile);
process.send!("building");
await buildShardStore({ modelDir, plan, shardId: "shard-0", stats, out });
process.disconnect();
