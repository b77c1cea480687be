import { type MetricsServer, startMetricsServer } from "../../lib/http/metrics-server.js";
import type { Logger } from "../../lib/log.js";
import { REQUEST_WINDOW_BYTES } from "../../lib/rpc/flow-control.js";
import { type GrpcServer, startGrpcServer } from "../../lib/rpc/grpc-server.js";
import type { FrontendConfig } from "./frontend-config.js";
import type { FrontendMetrics } from "./frontend-metrics.js";
import { createInferenceService, serveInfer } from "./inference-service.js";
import {
  INFERENCE_SERVICE,
  inferencePackage,
  inferenceServiceDefinition,
  MODEL_INFER_PATH,
} from "./inference-wire.js";
import type { ModelStatistics } from "./model-statistics.js";
import type { QueryDesk } from "./query-desk.js";
import { type RestServer, startRestServer } from "./rest-server.js";
import type { ServedModel } from "./served-model.js";

export interface ServerParts {
  readonly model: ServedModel;
  readonly desk: QueryDesk;
  readonly statistics: ModelStatistics;
  readonly metrics: FrontendMetrics;
  /** True while a query would be answered. */
  readonly isReady: () => boolean;
  /** Version of the server itself. */
  readonly serverVersion: string;
  readonly log: Logger;
}

/** Everything that a frontend listens on; at first it says that it is not ready. */
export interface FrontendServers {
  /** Addresses bound, with their real ports. */
  readonly grpcAddress: string;
  readonly httpAddress?: string;
  readonly metricsAddress?: string;
  /** Tells grpc.health.v1 what `isReady` says. */
  reportHealth(): void;
  /** Lets calls in flight end for up to `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Calls of one connection at a time, those included whose answer the client does not read. */
const STREAMS_A_CONNECTION_MAX = 1024;

/**
 * Binds every address of the configuration.
 *
 * @throws ShardpoolError ADDRESS_IN_USE; what was bound by then has been closed.
 */
export async function startServers(
  parts: ServerParts,
  config: FrontendConfig,
): Promise<FrontendServers> {
  const grpc = await startGrpc(parts, config);
  const closers: ((graceMs: number) => Promise<void>)[] = [(graceMs) => grpc.close(graceMs)];
  const close = async (graceMs: number): Promise<void> => {
    await Promise.all(closers.map((closeOne) => closeOne(graceMs)));
  };
  try {
    const rest = await startRest(parts, config);
    if (rest) closers.push((graceMs) => rest.close(graceMs));
    const metrics = await startMetrics(parts, config);
    if (metrics) closers.push(() => metrics.close());
    return {
      grpcAddress: grpc.address,
      ...(rest && { httpAddress: rest.address }),
      ...(metrics && { metricsAddress: metrics.address }),
      reportHealth: () => reportHealth(grpc, parts),
      close,
    };
  } catch (error) {
    await close(0);
    throw error;
  }
}

function startGrpc(parts: ServerParts, config: FrontendConfig): Promise<GrpcServer> {
  return startGrpcServer({
    listenAddress: config.grpcAddress,
    services: [
      {
        definition: inferenceServiceDefinition(),
        implementation: createInferenceService(parts),
      },
    ],
    packages: [inferencePackage],
    messageBytesMax: config.messageBytesMax,
    windowBytes: REQUEST_WINDOW_BYTES,
    calls: new Map([[MODEL_INFER_PATH, (call) => serveInfer(parts, call, config.messageBytesMax)]]),
    serverOptions: { "grpc.max_concurrent_streams": STREAMS_A_CONNECTION_MAX },
  });
}

async function startRest(
  parts: ServerParts,
  config: FrontendConfig,
): Promise<RestServer | undefined> {
  if (config.httpAddress === undefined) return undefined;
  return await startRestServer(parts, config, config.httpAddress);
}

async function startMetrics(
  { metrics }: ServerParts,
  { metricsAddress }: FrontendConfig,
): Promise<MetricsServer | undefined> {
  if (metricsAddress === undefined) return undefined;
  return await startMetricsServer(metrics.registry, metricsAddress, "shardpool_frontend");
}

function reportHealth(grpc: GrpcServer, { isReady, model }: ServerParts): void {
  for (const service of ["", INFERENCE_SERVICE, model.manifest.name]) {
    grpc.setServing(service, isReady());
  }
}
