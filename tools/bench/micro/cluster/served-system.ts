import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startLocalCluster } from "../../../cluster/local-cluster.js";
import { startServiceProcess } from "../../../cluster/service-process.js";
import { decodeInferReply } from "../../load/infer-reply.js";
import { InferenceClient } from "../../load/inference-client.js";
import { readProcessUsage } from "../../load/process-usage.js";
import type { MicroContext } from "../micro-bench.js";
import type { ServingFiles } from "./serving-files.js";
import { warmingQueries } from "./serving-queries.js";

const START_TIMEOUT_MS = 120_000;
const STOP_GRACE_MS = 10_000;
/** One carries 128 KiB a round trip (`REQUEST_WINDOW_BYTES`), half a query of 128 samples. */
const CONNECTION_COUNT = 8;
/** Longer than any answer takes on a machine that others use. */
const ANSWER_TIMEOUT_MS = 60_000;

/** Processes that serve the benchmark's model, every row in memory. */
export interface ServedSystem {
  readonly name: string;
  readonly client: InferenceClient;
  readonly address: string;
  /** Sends one encoded query; resolves with its probabilities. */
  ask(query: Buffer): Promise<Float32Array>;
  /** Processor seconds of its processes so far; the client's are not among them. */
  cpuSeconds(): number;
  stop(): Promise<void>;
}

/** A frontend and shards as processes of their own, shards on unix sockets unless told. */
export async function startServedCluster(
  files: ServingFiles,
  { runDir }: Pick<MicroContext, "runDir">,
  options: { readonly name: string; readonly frontendArgs?: readonly string[] },
): Promise<ServedSystem> {
  const { model, planFile, plan, storeDir } = files;
  const cluster = await startLocalCluster({
    ...{ modelDir: model.dir, planFile, plan, storeDir, grpcAddress: "127.0.0.1:0" },
    logDir: join(runDir, options.name),
    ...(options.frontendArgs && { frontendArgs: options.frontendArgs }),
  });
  const pids = [cluster.frontend, ...cluster.shards].map(({ pid }) => pid);
  const { address } = cluster.frontend.ready;
  return warm(files, { name: options.name, address, pids, stop: () => cluster.stop() });
}

/** The same stores and graph in one process, engines called as functions. */
export async function startSingleSystem(
  files: ServingFiles,
  { runDir }: Pick<MicroContext, "runDir">,
): Promise<ServedSystem> {
  mkdirSync(runDir, { recursive: true });
  const service = await startServiceProcess({
    name: "single-process",
    args: [
      ...["bench", "single-process", "--model", files.model.dir, "--plan", files.planFile],
      ...["--stores", files.storeDir, "--grpc", "127.0.0.1:0"],
    ],
    logFile: join(runDir, "single-process.log"),
    startTimeoutMs: START_TIMEOUT_MS,
  });
  return warm(files, {
    name: "single process",
    address: service.ready.address,
    pids: [service.pid],
    stop: () => service.stop(STOP_GRACE_MS),
  });
}

interface StartedProcesses {
  readonly name: string;
  readonly address: string;
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

async function warm(files: ServingFiles, started: StartedProcesses): Promise<ServedSystem> {
  const { name, address, pids } = started;
  const client = new InferenceClient(address, {
    channelCount: CONNECTION_COUNT,
    timeoutMs: ANSWER_TIMEOUT_MS,
  });
  const ask = (query: Buffer): Promise<Float32Array> =>
    new Promise((resolve, reject) => {
      client.infer(query, (error, reply) => {
        if (reply) resolve(decodeInferReply(reply).probability);
        else reject(error);
      });
    });
  const stop = async (): Promise<void> => {
    client.close();
    await started.stop();
  };
  try {
    for (const query of warmingQueries(files)) await ask(query);
  } catch (error) {
    await stop();
    throw error;
  }
  const cpuSeconds = (): number =>
    pids.reduce((sum, pid) => sum + (readProcessUsage(pid)?.cpuSeconds ?? 0), 0);
  return { name, client, address, ask, cpuSeconds, stop };
}
