import { join } from "node:path";
import { writeJsonFile } from "../../lib/files.js";
import type { ShardingPlan } from "../../lib/plan/plan.js";
import {
  type RawFrontendConfig,
  type RunningFrontend,
  type StartFrontendOptions,
  startFrontend,
} from "../../services/frontend/index.js";
import { buildShardStore, type RunningShard, startShard } from "../../shards/index.js";
import { InferenceClient } from "./inference-client.js";

export interface ServedPlan {
  readonly client: InferenceClient;
  readonly frontend: RunningFrontend;
  readonly shards: readonly RunningShard[];
  close(): Promise<void>;
}

/**
 * Builds every store of a plan and serves it from this process: real SQLite, real gRPC on free ports.
 *
 * @param config More for the frontend.
 * @param parts What the frontend is to be made of other than usual.
 * @param reachAt Where the frontend finds a shard, by the address the shard has.
 */
export async function servePlan(
  folder: string,
  modelDir: string,
  plan: ShardingPlan,
  config: Partial<RawFrontendConfig> = {},
  parts: StartFrontendOptions = {},
  reachAt: (shardId: string, address: string) => Promise<string> = async (_, address) => address,
): Promise<ServedPlan> {
  const planFile = join(folder, "plan.json");
  await writeJsonFile(planFile, plan);
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closeOne of closers.toReversed()) await closeOne();
  };
  try {
    const addresses: Record<string, string> = {};
    const shards: RunningShard[] = [];
    for (const { id } of plan.shards) {
      const out = join(folder, `${id}.sqlite`);
      await buildShardStore({ modelDir, plan, shardId: id, out });
      const shard = await startShard({
        ...{ storeFile: out, planFile, listenAddress: "127.0.0.1:0", logLevel: "silent" },
        ...(config.metricsAddress !== undefined && { metricsAddress: "127.0.0.1:0" }),
      });
      closers.push(() => shard.close());
      shards.push(shard);
      addresses[id] = await reachAt(id, shard.address);
    }
    const frontend = await startFrontend(
      {
        ...{
          modelDir,
          planFile,
          shards: addresses,
          grpcAddress: "127.0.0.1:0",
          logLevel: "silent",
        },
        ...config,
      },
      parts,
    );
    closers.push(() => frontend.close());
    const client = new InferenceClient(frontend.address);
    closers.push(async () => client.close());
    return { client, frontend, shards, close };
  } catch (error) {
    await close();
    throw error;
  }
}
