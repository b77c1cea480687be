import { join } from "node:path";
import type { JaggedBatch } from "../../../lib/jagged-batch.js";
import type { ModelManifest } from "../../../lib/model/manifest.js";
import type { ShardingPlan } from "../../../lib/plan/plan.js";
import { storeFileOf } from "../../cluster/build-stores.js";
import { type ServiceProcess, startServiceProcess } from "../../cluster/service-process.js";
import { ShardStream, type StreamLookup } from "../calibrate/shard-stream.js";
import { heldForQuery, shardLookupOf } from "./shard-lookups.js";

const START_TIMEOUT_MS = 60_000;
const STOP_GRACE_MS = 5000;

export interface MeasurePlanOptions {
  readonly manifest: ModelManifest;
  readonly plan: ShardingPlan;
  readonly planFile: string;
  readonly storeDir: string;
  /** Sent first, so that caches hold what they hold under load; their cost is not counted. */
  readonly warmup: readonly JaggedBatch[];
  readonly queries: readonly JaggedBatch[];
  /** Passes over the queries; of their costs the least counts. */
  readonly turns: number;
  readonly onQuery: () => void;
}

/** What a shard spent and said, for a mean query. */
export interface MeasuredShard {
  readonly shard: string;
  /** CPU time of the process, gRPC and reader threads included. */
  readonly cpuUs: number;
  /** From the arrival of a lookup to its answer, as the shard reports it. */
  readonly serviceUs: number;
  readonly hitRatio: number;
  readonly blocksPerQuery: number;
}

/**
 * Starts the shards of a plan and sends each query's lookups one shard after another, one in flight:
 * with fewer cores than shards, anything else would measure the shards' waiting for one another.
 */
export async function measurePlan(options: MeasurePlanOptions): Promise<MeasuredShard[]> {
  const shards = await startShards(options);
  try {
    const measured: MeasuredShard[] = [];
    for (const shard of shards) {
      const died = shard.ended.then((error) => {
        throw error;
      });
      died.catch(() => {});
      measured.push(await Promise.race([measureShard(shard, options), died]));
    }
    return measured;
  } finally {
    await Promise.all(shards.map((shard) => shard.stop(STOP_GRACE_MS)));
  }
}

async function startShards(options: MeasurePlanOptions): Promise<ServiceProcess[]> {
  const { plan, planFile, storeDir } = options;
  const started: ServiceProcess[] = [];
  try {
    for (const { id } of plan.shards) {
      const args = ["shard", "serve", "--store", storeFileOf(storeDir, id), "--plan", planFile];
      args.push("--shard", id, "--listen", "127.0.0.1:0");
      const logFile = join(storeDir, `${id}.log`);
      started.push(
        await startServiceProcess({ name: id, args, logFile, startTimeoutMs: START_TIMEOUT_MS }),
      );
    }
    return started;
  } catch (error) {
    await Promise.all(started.map((shard) => shard.stop(STOP_GRACE_MS)));
    throw error;
  }
}

async function measureShard(
  { name, ready }: ServiceProcess,
  options: MeasurePlanOptions,
): Promise<MeasuredShard> {
  const { manifest, plan, warmup, queries, turns, onQuery } = options;
  const stream = new ShardStream(ready.address);
  try {
    const { partitions } = await stream.describe();
    const numbers = new Map(partitions.map(({ id, number }) => [id, number]));
    const lookupOf = (batch: JaggedBatch, query: number): StreamLookup =>
      shardLookupOf(manifest, heldForQuery(plan, name, numbers, query), batch);
    for (const [i, batch] of warmup.entries()) {
      await send(stream, lookupOf(batch, i));
      onQuery();
    }
    const lookups = queries.map(lookupOf);
    const passes: MeasuredShard[] = [];
    for (let turn = 0; turn < turns; turn++) {
      passes.push({ shard: name, ...(await onePass(stream, lookups, onQuery)) });
    }
    return passes.reduce((best, pass) => (pass.cpuUs < best.cpuUs ? pass : best));
  } finally {
    stream.close();
  }
}

async function onePass(
  stream: ShardStream,
  lookups: readonly StreamLookup[],
  onQuery: () => void,
): Promise<Omit<MeasuredShard, "shard">> {
  const cpuBefore = Number((await stream.describe()).cpuUs);
  let serviceUs = 0;
  let rowsHit = 0;
  let rowsMissed = 0;
  let blocks = 0;
  for (const lookup of lookups) {
    const reply = await send(stream, lookup);
    serviceUs += reply?.timings?.totalUs ?? 0;
    rowsHit += reply?.rowsHit ?? 0;
    rowsMissed += reply?.rowsMissed ?? 0;
    blocks += reply?.blocksRead ?? 0;
    onQuery();
  }
  const cpuUs = Number((await stream.describe()).cpuUs) - cpuBefore;
  return {
    cpuUs: cpuUs / lookups.length,
    serviceUs: serviceUs / lookups.length,
    hitRatio: rowsHit / Math.max(1, rowsHit + rowsMissed),
    blocksPerQuery: blocks / lookups.length,
  };
}

/** A shard that a query needs nothing of is not asked. */
async function send(stream: ShardStream, lookup: StreamLookup) {
  const hasRows = lookup.segments.some(({ values }) => values.length > 0);
  return hasRows ? await stream.lookup(lookup) : undefined;
}
