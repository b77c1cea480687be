import { join } from "node:path";
import type { JaggedBatch } from "../../../lib/jagged-batch.js";
import type { ModelManifest } from "../../../lib/model/manifest.js";
import type { ShardingPlan } from "../../../lib/plan/plan.js";
import { lowerQuartileOf, medianOf } from "../../cli/median.js";
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
  readonly onQuery: () => void;
}

/**
 * What a shard spent and said, for a mean query. Costs are the lower quartile over queries of the cost a sample, times
 * the samples of a mean query: what else the machine does only adds, and spares some queries. The same
 * queries sent again would not do, for their rows would be in memory by then.
 */
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
  const { manifest, plan, warmup, queries, onQuery } = options;
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
    return { shard: name, ...(await measureLookups(stream, queries.map(lookupOf), onQuery)) };
  } finally {
    stream.close();
  }
}

async function measureLookups(
  stream: ShardStream,
  lookups: readonly StreamLookup[],
  onQuery: () => void,
): Promise<Omit<MeasuredShard, "shard">> {
  const clock = await CpuClock.of(stream);
  const cpuUs: number[] = [];
  const serviceUs: number[] = [];
  let rowsHit = 0;
  let rowsMissed = 0;
  let blocks = 0;
  for (const lookup of lookups) {
    await clock.start();
    const reply = await send(stream, lookup);
    cpuUs.push((await clock.stop()) / lookup.sampleCount);
    serviceUs.push((reply?.timings?.totalUs ?? 0) / lookup.sampleCount);
    rowsHit += reply?.rowsHit ?? 0;
    rowsMissed += reply?.rowsMissed ?? 0;
    blocks += reply?.blocksRead ?? 0;
    onQuery();
  }
  const samples = lookups.reduce((sum, { sampleCount }) => sum + sampleCount, 0) / lookups.length;
  return {
    cpuUs: lowerQuartileOf(cpuUs) * samples,
    serviceUs: lowerQuartileOf(serviceUs) * samples,
    hitRatio: rowsHit / Math.max(1, rowsHit + rowsMissed),
    blocksPerQuery: blocks / lookups.length,
  };
}

/** Readings from which the CPU time of a reading itself is told. */
const CLOCK_READINGS = 21;

/** A shard's own CPU clock, less what reading it costs the shard. */
class CpuClock {
  readonly #stream: ShardStream;
  readonly #readingUs: number;
  #startedUs = 0;

  private constructor(stream: ShardStream, readingUs: number) {
    this.#stream = stream;
    this.#readingUs = readingUs;
  }

  static async of(stream: ShardStream): Promise<CpuClock> {
    const clock = new CpuClock(stream, 0);
    const readings: number[] = [];
    for (let i = 0; i < CLOCK_READINGS; i++) {
      await clock.start();
      readings.push(await clock.stop());
    }
    return new CpuClock(stream, medianOf(readings));
  }

  async start(): Promise<void> {
    this.#startedUs = Number((await this.#stream.describe()).cpuUs);
  }

  /** Microseconds since the start. */
  async stop(): Promise<number> {
    const { cpuUs } = await this.#stream.describe();
    return Math.max(0, Number(cpuUs) - this.#startedUs - this.#readingUs);
  }
}

/** A shard that a query needs nothing of is not asked. */
async function send(stream: ShardStream, lookup: StreamLookup) {
  const hasRows = lookup.segments.some(({ values }) => values.length > 0);
  return hasRows ? await stream.lookup(lookup) : undefined;
}
