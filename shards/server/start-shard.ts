import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import { systemClock } from "../../lib/clock.js";
import { readJsonFile } from "../../lib/files.js";
import { type MetricsServer, startMetricsServer } from "../../lib/http/metrics-server.js";
import { createLog, type Logger } from "../../lib/log.js";
import { parsePlan, type ShardingPlan } from "../../lib/plan/plan.js";
import { REQUEST_WINDOW_BYTES } from "../../lib/rpc/flow-control.js";
import { type GrpcServer, startGrpcServer } from "../../lib/rpc/grpc-server.js";
import { loadProto, serviceOf } from "../../lib/rpc/load-proto.js";
import type { LookupRequestMessage } from "../../lib/rpc/lookup-codec.js";
import { unaryHandler } from "../../lib/rpc/unary-handler.js";
import { type LookupEngine, openLookupEngine } from "../engine/lookup-engine.js";
import { parseShardConfig, type RawShardConfig, type ShardConfig } from "../shard-config.js";
import { type StatsCall, serveStats } from "./collect-stats.js";
import { describeShard, type WireDescription } from "./describe.js";
import { LookupDesk } from "./lookup-desk.js";
import { LOOKUP_STREAM_PATH, SHARD_SERVICE, withLookupCodec } from "./lookup-service.js";
import { LookupStreams } from "./lookup-stream.js";
import type { WireReply } from "./lookup-wire.js";
import { preloadShard } from "./preload-shard.js";
import { ShardMetrics } from "./shard-metrics.js";
import { removeStaleSocket } from "./stale-socket.js";

/** A shard that serves lookups. */
export interface RunningShard {
  readonly shardId: string;
  /** The address bound, with its real port. */
  readonly address: string;
  /** Where `/metrics` is, if anywhere. */
  readonly metricsAddress?: string;
  readonly engine: LookupEngine;
  /** Reports NOT_SERVING, answers what is in flight, ends the streams, and lets go of the store. */
  close(): Promise<void>;
}

/**
 * Opens a store and serves it.
 *
 * @throws ShardpoolError CONFIG_INVALID, ADDRESS_IN_USE, and what opening the plan and the store may.
 */
export async function startShard(raw: RawShardConfig): Promise<RunningShard> {
  const config = parseShardConfig(raw);
  const plan = config.planFile === undefined ? undefined : await readPlan(config.planFile);
  const engine = openLookupEngine(engineOptions(config, plan));
  try {
    return await serve(engine, config);
  } catch (error) {
    engine.close();
    throw error;
  }
}

async function readPlan(planFile: string): Promise<ShardingPlan> {
  return parsePlan(await readJsonFile(planFile), planFile);
}

function engineOptions(
  config: ShardConfig,
  plan: ShardingPlan | undefined,
): Parameters<typeof openLookupEngine>[0] {
  const { sampleCountMax, valueCountMax, replyBytesMax } = config;
  const { missedBytesMax, waitingMax, queuedMax } = config;
  const { shardId, cacheBytes, memoryBytesMax, readerCount, admission, accessCountsEvery } = config;
  return {
    storePath: config.storeFile,
    readerCount,
    admission,
    accessCountsEvery,
    limits: { sampleCountMax, valueCountMax, replyBytesMax, missedBytesMax, waitingMax, queuedMax },
    ...(plan && { plan }),
    ...(shardId !== undefined && { shardId }),
    ...(cacheBytes !== undefined && { cacheBytes }),
    ...(memoryBytesMax !== undefined && { memoryBytesMax }),
  };
}

async function serve(engine: LookupEngine, config: ShardConfig): Promise<RunningShard> {
  const shardId = config.shardId ?? engine.catalog.shardId;
  const log = createLog(shardId, config.logLevel);
  const metrics = new ShardMetrics(engine);
  const desk = new LookupDesk(engine, systemClock, config.lookupsInFlightMax, metrics);
  metrics.watchInFlight(() => desk.inFlightCount);
  // Before it listens: the first queries would otherwise read what is known to be wanted one by one.
  if (config.preload) await preloadShard(engine, log);
  const streams = new LookupStreams(desk, log, messageBytesMaxOf(config));
  const definition = loadProto("embedding_shard.proto");
  await removeStaleSocket(config.listenAddress);
  const server = await startGrpcServer({
    listenAddress: config.listenAddress,
    services: [
      {
        definition: withLookupCodec(serviceOf(definition, SHARD_SERVICE).service),
        implementation: createService(engine, shardId, config, desk, log),
      },
    ],
    calls: new Map([[LOOKUP_STREAM_PATH, (call) => streams.serve(call)]]),
    packages: [definition],
    windowBytes: REQUEST_WINDOW_BYTES,
    messageBytesMax: messageBytesMaxOf(config),
  });
  const metricsServer = await serveMetrics(metrics, config, server);
  setServing(server, true);
  log.info({ address: server.address, partitions: engine.partitions.length }, "serving");
  return {
    shardId,
    address: server.address,
    ...(metricsServer && { metricsAddress: metricsServer.address }),
    engine,
    close: async () => {
      await drain(server, desk, streams, engine, config, log);
      await metricsServer?.close();
    },
  };
}

/** Takes the gRPC server down with it when the address cannot be bound. */
async function serveMetrics(
  metrics: ShardMetrics,
  config: ShardConfig,
  server: GrpcServer,
): Promise<MetricsServer | undefined> {
  if (config.metricsAddress === undefined) return undefined;
  try {
    return await startMetricsServer(metrics.registry, config.metricsAddress, "shardpool_shard");
  } catch (error) {
    await server.close(0);
    throw error;
  }
}

/** Ids and weights are 8 bytes a value; a lookup has no more lengths than its answer has sums. */
function messageBytesMaxOf(config: ShardConfig): number {
  return config.valueCountMax * 8 + config.replyBytesMax * 2;
}

function createService(
  engine: LookupEngine,
  shardId: string,
  config: ShardConfig,
  desk: LookupDesk,
  log: Logger,
): UntypedServiceImplementation {
  return {
    Lookup: unaryHandler<LookupRequestMessage, WireReply>(log, (request, call) => {
      const controller = new AbortController();
      call.on("cancelled", () => controller.abort());
      return desk.lookup(request, controller);
    }),
    Describe: unaryHandler<{ withCounters: boolean }, WireDescription>(
      log,
      async ({ withCounters }) => describeShard(engine, shardId, config, withCounters),
    ),
    CollectStats: (call: StatsCall) => serveStats(call, engine, shardId, log),
  };
}

function setServing(server: GrpcServer, serving: boolean): void {
  server.setServing("", serving);
  server.setServing(SHARD_SERVICE, serving);
}

async function drain(
  server: GrpcServer,
  desk: LookupDesk,
  streams: LookupStreams,
  engine: LookupEngine,
  config: ShardConfig,
  log: Logger,
): Promise<void> {
  log.info("draining");
  setServing(server, false);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, config.drainTimeoutMs);
  });
  await Promise.race([desk.drain(), late]);
  clearTimeout(timer);
  streams.endAll();
  await server.close(STREAM_END_MS);
  engine.close();
  log.info("stopped");
}

/** Streams have been ended by then; this is for clients that do not read the end. */
const STREAM_END_MS = 500;
