import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { ShardpoolError } from "../../lib/errors.js";
import type { ShardingPlan } from "../../lib/plan/plan.js";
import { storeFileOf } from "./build-stores.js";
import { type ServiceProcess, startServiceProcess } from "./service-process.js";
import { ShardSockets } from "./shard-sockets.js";
import type { Topology } from "./topology.js";

/** What a server may be silent for before it is ready; a shard that fills its memory says how far it is. */
const START_TIMEOUT_MS = 60_000;

/** What a server gets to finish the queries in flight before it is killed. */
const STOP_GRACE_MS = 10_000;

export interface LocalClusterOptions {
  readonly modelDir: string;
  readonly planFile: string;
  readonly plan: ShardingPlan;
  readonly storeDir: string;
  /** Folder of the processes' logs, one file each. */
  readonly logDir: string;
  /** `host:port` of the frontend's gRPC server; port 0 picks a free one. */
  readonly grpcAddress: string;
  /** The same for the REST twin and for Prometheus; free ports unless told. */
  readonly httpAddress?: string;
  readonly metricsAddress?: string;
  /** Have shards listen on loopback ports; on unix sockets, which cost less, unless told. */
  readonly tcpShards?: boolean;
  /** Further `shard serve` options, the same for every shard. */
  readonly shardArgs?: readonly string[];
  /** Further `frontend serve` options. */
  readonly frontendArgs?: readonly string[];
}

/** Every process of a cluster, on this machine. */
export interface LocalCluster {
  readonly frontend: ServiceProcess;
  readonly shards: readonly ServiceProcess[];
  /** Settles with the reason when a process ends that nobody asked to. */
  readonly failed: Promise<ShardpoolError>;
  topology(): Topology;
  /** Drains the frontend, then the shards. */
  stop(): Promise<void>;
}

/**
 * Starts one process a shard, then the frontend, and waits until the frontend has answered its golden
 * requests through them.
 *
 * @throws ShardpoolError PROCESS_FAILED; whatever had started by then has been stopped.
 */
export async function startLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  mkdirSync(options.logDir, { recursive: true });
  const sockets = new ShardSockets(options.tcpShards !== true);
  try {
    const shards = await startShards(options, sockets);
    return await startFrontend(options, shards).then(
      (frontend) => createCluster(options, frontend, shards, sockets),
      async (error: unknown) => {
        await stopAll(shards);
        throw error;
      },
    );
  } catch (error) {
    sockets.remove();
    throw error;
  }
}

async function startShards(
  options: LocalClusterOptions,
  sockets: ShardSockets,
): Promise<ServiceProcess[]> {
  const starts = await Promise.allSettled(
    options.plan.shards.map((shard, index) =>
      startServiceProcess({
        name: shard.id,
        args: [
          ...["shard", "serve", "--store", storeFileOf(options.storeDir, shard.id)],
          ...["--plan", options.planFile, "--shard", shard.id],
          ...["--listen", sockets.addressOf(index)],
          ...["--metrics", "127.0.0.1:0"],
          ...(options.shardArgs ?? []),
        ],
        logFile: join(options.logDir, `${shard.id}.log`),
        startTimeoutMs: START_TIMEOUT_MS,
      }),
    ),
  );
  const started = starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
  const failed = starts.find((start) => start.status === "rejected");
  if (failed === undefined) return started;
  await stopAll(started);
  throw failed.reason;
}

function startFrontend(
  options: LocalClusterOptions,
  shards: readonly ServiceProcess[],
): Promise<ServiceProcess> {
  return startServiceProcess({
    name: "frontend",
    args: [
      ...["frontend", "serve", "--model", options.modelDir, "--plan", options.planFile],
      ...shards.flatMap((shard) => ["--shard", `${shard.name}=${shard.ready.address}`]),
      ...["--grpc", options.grpcAddress, "--http", options.httpAddress ?? "127.0.0.1:0"],
      ...["--metrics", options.metricsAddress ?? "127.0.0.1:0"],
      ...(options.frontendArgs ?? []),
    ],
    logFile: join(options.logDir, "frontend.log"),
    startTimeoutMs: START_TIMEOUT_MS,
  });
}

function createCluster(
  options: LocalClusterOptions,
  frontend: ServiceProcess,
  shards: readonly ServiceProcess[],
  sockets: ShardSockets,
): LocalCluster {
  const processes = [frontend, ...shards];
  return {
    frontend,
    shards,
    failed: new Promise((resolve) => {
      for (const { ended } of processes) {
        void ended.then((error) => {
          if (error !== undefined) resolve(error);
        });
      }
    }),
    topology: () => ({
      formatVersion: 1,
      modelName: options.plan.model.name,
      modelDir: options.modelDir,
      planFile: options.planFile,
      planHash: options.plan.hash,
      frontend: describeProcess(frontend),
      shards: shards.map(describeProcess),
    }),
    stop: async () => {
      await frontend.stop(STOP_GRACE_MS);
      await stopAll(shards);
      sockets.remove();
    },
  };
}

function describeProcess(service: ServiceProcess): Topology["frontend"] {
  const { address, httpAddress, metricsAddress } = service.ready;
  return {
    ...{ name: service.name, pid: service.pid, address },
    ...(httpAddress !== undefined && { httpAddress }),
    ...(metricsAddress !== undefined && { metricsAddress }),
  };
}

async function stopAll(processes: readonly ServiceProcess[]): Promise<void> {
  await Promise.all(processes.map((service) => service.stop(STOP_GRACE_MS)));
}
