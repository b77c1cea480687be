import { readTopology } from "../../cluster/topology.js";
import type { BenchQueries } from "./bench-queries.js";
import { ClientFleet } from "./client-fleet.js";
import { describeResult } from "./describe-result.js";
import { describeEnvironment } from "./environment.js";
import { InferenceClient } from "./inference-client.js";
import {
  type LatencyOptions,
  type LatencyOptionsInput,
  parseLatencyOptions,
} from "./latency-options.js";
import type { GeneratorTest, LatencyResult } from "./latency-result.js";
import { type MeasureLoadHooks, measureLoad, type RunMeter } from "./measure-load.js";
import { prepareQueries } from "./prepared-queries.js";
import { UsageMeter } from "./process-usage.js";
import { ShardProbe } from "./shard-usage.js";
import { measureShuffledAuc } from "./shuffled-auc.js";

/** The load generator's own name among the processes of a result. */
const CLIENT_PROCESS = "client";

/**
 * Sends queries that are in memory to a running inference server and measures.
 *
 * @param generator What is known of the generator itself.
 * @throws ShardpoolError as `runLatencyBench` does, what reading the log throws aside.
 */
export async function measureQueries(
  source: BenchQueries,
  input: LatencyOptionsInput,
  hooks: MeasureLoadHooks = {},
  generator: GeneratorTest | null = null,
): Promise<LatencyResult> {
  const options = await withTopology(parseLatencyOptions(input));
  const environment = describeEnvironment();
  const { name, version } = source.manifest;
  const request = { modelName: name, modelVersion: version, timings: true };
  const queries = prepareQueries(source.queries, request);
  const client = new InferenceClient(options.target, options);
  try {
    await client.assertReady(name, version, options.connectMs);
    const fleet = options.clients > 1 ? await ClientFleet.start(input, options) : undefined;
    const pids = { ...options.pids, [CLIENT_PROCESS]: process.pid, ...fleet?.pids };
    const meter = new UsageMeter(pids);
    const probe = new ShardProbe(options.shardAddresses);
    const both = startBoth(meter, probe);
    try {
      const load = fleet
        ? await fleet.measure(queries, options, both, hooks)
        : await measureLoad(client, queries, options, both, hooks);
      const shards = await probe.result();
      const isWhole = load.endedBy === "schedule" && options.shuffleIds;
      const shuffled = isWhole
        ? await measureShuffledAuc(client, source, {
            seed: options.seed,
            // As many as were measured: more would only take longer.
            queryCountMax: Math.min(options.queryCountMax, Math.max(1, load.recorder.dueCount)),
          })
        : null;
      return describeResult({
        ...{ source, options, environment, load, meter, shards, generator, shuffled, queries },
      });
    } finally {
      fleet?.close();
    }
  } finally {
    client.close();
  }
}

async function withTopology(options: LatencyOptions): Promise<LatencyOptions> {
  if (options.topology === undefined) return options;
  const { frontend, shards } = await readTopology(options.topology);
  const pids = Object.fromEntries([frontend, ...shards].map(({ name, pid }) => [name, pid]));
  const addresses = Object.fromEntries(shards.map(({ name, address }) => [name, address]));
  return {
    ...options,
    pids: { ...pids, ...options.pids },
    shardAddresses: { ...addresses, ...options.shardAddresses },
  };
}

function startBoth(meter: UsageMeter, probe: ShardProbe): RunMeter {
  return {
    start: () => {
      meter.start();
      probe.start();
    },
    sample: () => meter.sample(),
  };
}
