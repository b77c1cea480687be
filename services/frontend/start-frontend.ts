import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, systemClock } from "../../lib/clock.js";
import { ShardpoolError } from "../../lib/errors.js";
import { hashFile, readJsonFile } from "../../lib/files.js";
import { createLog, type Logger } from "../../lib/log.js";
import { DENSE_FILE, GOLDEN_FILE } from "../../lib/model/manifest.js";
import { type Model, openModel } from "../../lib/model/model-directory.js";
import { PACKAGE_ROOT } from "../../lib/package-root.js";
import { assertPlanFitsModel, parsePlan, type ShardingPlan } from "../../lib/plan/plan.js";
import { BatchObserver } from "./batch-observer.js";
import { Batcher } from "./batcher.js";
import { BufferPool } from "./buffer-pool.js";
import { DensePool } from "./dense-pool.js";
import { FanOut } from "./fan-out.js";
import {
  type FrontendConfig,
  parseFrontendConfig,
  type RawFrontendConfig,
} from "./frontend-config.js";
import { FrontendMetrics } from "./frontend-metrics.js";
import { type FrontendServers, type ServerParts, startServers } from "./frontend-servers.js";
import { assertGoldenAnswers } from "./golden-check.js";
import { ModelStatistics } from "./model-statistics.js";
import { Predictor } from "./predictor.js";
import { QueryDesk } from "./query-desk.js";
import { QueryService } from "./query-service.js";
import type { ServedModel } from "./served-model.js";
import { ShardClient } from "./shard-client.js";
import type { OpenShardLink } from "./shard-connection.js";
import { SlowQueryLog } from "./slow-query-log.js";

/** A frontend that answers queries. */
export interface RunningFrontend {
  /** The gRPC address bound, with its real port. */
  readonly address: string;
  /** Where the REST twin and `/metrics` are, if anywhere. */
  readonly httpAddress?: string;
  readonly metricsAddress?: string;
  /** Reports NOT_SERVING, answers what is in flight, and closes every connection. */
  close(): Promise<void>;
}

/** Batches between the first lookup and the dense answer: one in the shards, one in the dense part. */
const BATCHES_IN_FLIGHT_PER_WORKER = 2;
/** How often a start or a drain looks whether it is done. */
const POLL_MS = 10;
/** The most that may cross the wire to or from a shard. */
const SHARD_MESSAGE_BYTES_MAX = 256 * 1024 * 1024;

export interface StartFrontendOptions {
  /** How shards are reached: over gRPC at the addresses of the configuration unless told. */
  readonly openShardLink?: OpenShardLink;
  /** The body of the dense worker threads; our own unless told. */
  readonly denseWorkerUrl?: URL;
}

/**
 * Connects to every shard, answers the golden requests through them, and serves.
 *
 * @throws ShardpoolError CONFIG_INVALID, PLAN_MISMATCH, GOLDEN_MISMATCH, SHARD_UNAVAILABLE when a
 * shard does not answer in `startTimeoutMs`, ADDRESS_IN_USE, and what opening model and plan throw.
 */
export async function startFrontend(
  raw: RawFrontendConfig,
  options: StartFrontendOptions = {},
): Promise<RunningFrontend> {
  const config = parseFrontendConfig(raw);
  const model = await openModel(config.modelDir);
  await assertUntouched(model);
  const plan = parsePlan(await readJsonFile(config.planFile), config.planFile);
  assertPlanFitsModel(plan, model.manifest, model.hash);
  assertAllAddressed(plan, config);
  const parts = await createParts(model, plan, config, options);
  try {
    return await serve(parts, model, config);
  } catch (error) {
    await closeParts(parts);
    throw error;
  }
}

/**
 * The files that a frontend serves from are as they were made; tables are the shards' business.
 *
 * @throws ShardpoolError HASH_MISMATCH.
 */
async function assertUntouched({ dir, manifest }: Model): Promise<void> {
  for (const file of [DENSE_FILE, GOLDEN_FILE]) {
    const { sha256 } = await hashFile(join(dir, file));
    const expected = manifest.files[file]?.sha256;
    if (sha256 === expected) continue;
    throw new ShardpoolError(
      "HASH_MISMATCH",
      `${join(dir, file)} has SHA-256 ${sha256.slice(0, 12)}…, the manifest says ${expected?.slice(0, 12)}…`,
    );
  }
}

/** Everything between the wire to the client and the wires to the shards. */
interface FrontendParts {
  readonly log: Logger;
  readonly clock: Clock;
  readonly clients: ReadonlyMap<string, ShardClient>;
  readonly densePool: DensePool;
  readonly predictor: Predictor;
  readonly fanOut: FanOut;
  readonly queries: QueryService;
  readonly metrics: FrontendMetrics;
  readonly statistics: ModelStatistics;
  /** Told after every change of a shard's connection. */
  onReadyChange: () => void;
}

function assertAllAddressed(plan: ShardingPlan, config: FrontendConfig): void {
  const missing = plan.shards.filter(({ id }) => config.shards[id] === undefined);
  if (missing.length === 0) return;
  throw new ShardpoolError(
    "CONFIG_INVALID",
    `no address for ${missing.map(({ id }) => id).join(", ")}; give each shard of the plan one`,
  );
}

async function createParts(
  model: Model,
  plan: ShardingPlan,
  config: FrontendConfig,
  options: StartFrontendOptions,
): Promise<FrontendParts> {
  const log = createLog("frontend", config.logLevel);
  const clock = systemClock;
  const densePool = await DensePool.start({
    onnxPath: model.densePath,
    workerCount: config.denseWorkerCount,
    threadCount: config.denseThreadCount,
    log,
    ...(options.denseWorkerUrl && { workerUrl: options.denseWorkerUrl }),
  });
  const notify = { onReadyChange: (): void => {} };
  const clients = new Map(
    plan.shards.map(({ id }) => [id, createClient(id, model, plan, config, log, notify, options)]),
  );
  const batchesInFlightMax = BATCHES_IN_FLIGHT_PER_WORKER * config.denseWorkerCount;
  const buffers = new BufferPool(batchesInFlightMax);
  const fanOut = new FanOut({ manifest: model.manifest, plan, clients, buffers, clock });
  const predictor = new Predictor({ fanOut, densePool, buffers, clock });
  const { batchSampleCountMax, queueSampleCountMax, queryTimeoutMsMax } = config;
  const metrics = new FrontendMetrics(plan.epoch);
  const statistics = new ModelStatistics();
  const batcher = new Batcher({
    predictor,
    clock,
    batchSampleCountMax,
    batchesInFlightMax,
    queueSampleCountMax,
    queueAgeMsMax: config.queueAgeMsMax,
    observeBatch: (batch, sampleCount) =>
      BatchObserver.start({ metrics, statistics, clock, sampleCount, queries: batch }),
  });
  const queries = new QueryService({
    model: servedModelOf(model, fanOut.layout.width, densePool.hasLogit, config),
    batcher,
    planEpoch: plan.epoch,
    queryTimeoutMsMax,
    clock,
  });
  metrics.watch({
    inFlightSamples: () => batcher.sampleCount,
    queueAgeSeconds: () => batcher.queueAgeMs / 1000,
    isReady: () => queries.state === "serving" && predictor.isComplete,
    isConnected: () => new Map([...clients].map(([id, client]) => [id, client.isReady])),
  });
  const parts = { log, clock, clients, densePool, predictor, fanOut, queries, metrics, statistics };
  return Object.assign(notify, parts);
}

function createClient(
  shardId: string,
  model: Model,
  plan: ShardingPlan,
  config: FrontendConfig,
  log: Logger,
  notify: { readonly onReadyChange: () => void },
  { openShardLink }: StartFrontendOptions,
): ShardClient {
  return new ShardClient({
    shardId,
    address: config.shards[shardId]!,
    modelHash: model.hash,
    partitions: plan.partitions.filter(({ shards }) => shards.includes(shardId)),
    messageBytesMax: SHARD_MESSAGE_BYTES_MAX,
    sampleCountMax: config.batchSampleCountMax,
    lookupsInFlightMax: config.lookupsInFlightMax,
    log,
    seed: 0,
    ...(openShardLink && { openLink: openShardLink }),
    onReadyChange: () => notify.onReadyChange(),
  });
}

function servedModelOf(
  { manifest }: Model,
  pooledWidth: number,
  hasLogit: boolean,
  config: FrontendConfig,
): ServedModel {
  const { querySampleCountMax: sampleCountMax, queryValueCountMax: valueCountMax } = config;
  return { manifest, pooledWidth, hasLogit, sampleCountMax, valueCountMax };
}

async function assertReadyToServe(
  { clients, predictor, fanOut, clock, log }: FrontendParts,
  model: Model,
  config: FrontendConfig,
): Promise<void> {
  for (const client of clients.values()) client.connect();
  const giveUpAt = clock.nowMs() + config.startTimeoutMs;
  const refusal = (): ShardClient | undefined =>
    [...clients.values()].find((client) => !client.isReady && isRefusal(client.lastError));
  while (!predictor.isComplete && !refusal() && clock.nowMs() < giveUpAt) await wait(POLL_MS);
  const missing = refusal() ?? [...clients.values()].find((client) => !client.isReady);
  if (!predictor.isComplete && missing) throw missing.lastError;
  await assertGoldenAnswers({
    predictor,
    golden: await model.readGolden(),
    manifest: model.manifest,
    layout: fanOut.layout,
    deadlineAt: giveUpAt,
  });
  // Golden requests hold what the shards have and not how it is rounded, so they come before this.
  fanOut.float16Answers = config.float16Answers;
  log.info("golden requests answered right");
}

/** The shard answered, and it is not one for this model and plan: waiting does not mend that. */
function isRefusal({ code }: ShardpoolError): boolean {
  return code === "PLAN_MISMATCH" || code === "PARTITION_NOT_HELD" || code === "CONFIG_INVALID";
}

/**
 * Listens first, so that an address in use shows at once and health says what it is waiting for; takes
 * queries in once the golden requests are answered right.
 */
async function serve(
  parts: FrontendParts,
  model: Model,
  config: FrontendConfig,
): Promise<RunningFrontend> {
  const { queries, log } = parts;
  const servers = await startServers(serverPartsOf(parts, config), config);
  try {
    await assertReadyToServe(parts, model, config);
  } catch (error) {
    await servers.close(0);
    throw error;
  }
  queries.state = "serving";
  parts.onReadyChange = () => servers.reportHealth();
  parts.onReadyChange();
  const { grpcAddress, httpAddress, metricsAddress } = servers;
  log.info({ address: grpcAddress, httpAddress, metricsAddress }, "serving");
  return {
    address: grpcAddress,
    ...(httpAddress !== undefined && { httpAddress }),
    ...(metricsAddress !== undefined && { metricsAddress }),
    close: () => drain(servers, parts, config),
  };
}

function serverPartsOf(
  { queries, predictor, metrics, statistics, clock, log }: FrontendParts,
  { slowQueryMs }: FrontendConfig,
): ServerParts {
  const slowQueries = new SlowQueryLog(log, clock, slowQueryMs);
  return {
    model: queries.model,
    desk: new QueryDesk({ queries, metrics, statistics, slowQueries, clock }),
    statistics,
    metrics,
    isReady: () => queries.state === "serving" && predictor.isComplete,
    serverVersion: readVersion(),
    log,
  };
}

async function drain(
  servers: FrontendServers,
  parts: FrontendParts,
  config: FrontendConfig,
): Promise<void> {
  const { queries, clock, log } = parts;
  log.info("draining");
  queries.state = "draining";
  parts.onReadyChange();
  const giveUpAt = clock.nowMs() + config.drainTimeoutMs;
  while (queries.inFlightCount > 0 && clock.nowMs() < giveUpAt) await wait(POLL_MS);
  await servers.close(Math.max(POLL_MS, Math.min(500, giveUpAt - clock.nowMs())));
  await closeParts(parts);
  log.info("stopped");
}

async function closeParts({ clients, densePool }: FrontendParts): Promise<void> {
  for (const client of clients.values()) client.close();
  await densePool.close();
}

function wait(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

function readVersion(): string {
  const raw: unknown = JSON.parse(readFileSync(join(PACKAGE_ROOT, "package.json"), "utf8"));
  return (raw as { version: string }).version;
}
