import { ShardpoolError } from "../../lib/errors.js";
import { readJsonFile } from "../../lib/files.js";
import { parsePlan, type ShardingPlan } from "../../lib/plan/plan.js";
import {
  type AbandonLookup,
  type LookupBody,
  type LookupWaiter,
  type OpenShardLink,
  type RunningFrontend,
  type ShardLink,
  type ShardLookupReply,
  startFrontend,
} from "../../services/frontend/index.js";
import {
  type LookupEngine,
  type LookupRequest,
  type LookupSegment,
  openLookupEngine,
} from "../../shards/index.js";
import { storeFileOf } from "../cluster/build-stores.js";

export interface SingleProcessOptions {
  readonly modelDir: string;
  readonly planFile: string;
  /** Folder with the store of every shard of the plan. */
  readonly storeDir: string;
  /** `host:port` or `unix:PATH`; port 0 picks a free one. */
  readonly grpcAddress: string;
  readonly denseWorkerCount?: number;
  readonly denseThreadCount?: number;
}

/** In messages, where a frontend names a shard's address. The port keeps the form of one. */
const IN_PROCESS = "in-process:0";

/**
 * Serves a model from one process: the frontend and, in place of its connections, the lookup engines
 * of the plan's shards, called as functions. Nothing is encoded, sent or copied for the wire, so the
 * difference to a cluster with the same stores is what distribution costs. Clients see no difference.
 *
 * @throws ShardpoolError as `startFrontend` and `openLookupEngine` do; whatever had been opened by
 * then is closed.
 */
export async function startSingleProcess(options: SingleProcessOptions): Promise<RunningFrontend> {
  const { modelDir, planFile, storeDir, grpcAddress, denseWorkerCount, denseThreadCount } = options;
  const plan = parsePlan(await readJsonFile(planFile), planFile);
  const engines = openEngines(plan, storeDir);
  const closeAll = (): void => {
    for (const engine of engines.values()) engine.close();
  };
  try {
    for (const engine of engines.values()) await engine.preload();
    const frontend = await startFrontend(
      {
        modelDir,
        planFile,
        grpcAddress,
        shards: Object.fromEntries(plan.shards.map(({ id }) => [id, IN_PROCESS])),
        ...(denseWorkerCount !== undefined && { denseWorkerCount }),
        ...(denseThreadCount !== undefined && { denseThreadCount }),
      },
      { openShardLink: openEngineLink(engines) },
    );
    return {
      ...frontend,
      close: async () => {
        await frontend.close();
        closeAll();
      },
    };
  } catch (error) {
    closeAll();
    throw error;
  }
}

function openEngines(plan: ShardingPlan, storeDir: string): ReadonlyMap<string, LookupEngine> {
  const engines = new Map<string, LookupEngine>();
  try {
    for (const { id } of plan.shards) {
      const storePath = storeFileOf(storeDir, id);
      engines.set(id, openLookupEngine({ storePath, plan, shardId: id }));
    }
    return engines;
  } catch (error) {
    for (const engine of engines.values()) engine.close();
    throw error;
  }
}

function openEngineLink(engines: ReadonlyMap<string, LookupEngine>): OpenShardLink {
  return async ({ shardId }) => {
    const engine = engines.get(shardId);
    if (engine !== undefined) return new EngineLink(engine);
    throw new ShardpoolError("SHARD_UNAVAILABLE", `no store was opened for ${shardId}`);
  };
}

/** A lookup engine where the frontend expects a connection to a shard. */
class EngineLink implements ShardLink {
  readonly partitionNumbers: ReadonlyMap<string, number>;
  readonly ended: Promise<ShardpoolError>;
  inFlightCount = 0;
  readonly #engine: LookupEngine;
  #end: (error: ShardpoolError) => void = () => {};

  constructor(engine: LookupEngine) {
    this.#engine = engine;
    this.partitionNumbers = new Map(
      engine.partitions.map(({ stored }, number) => [stored.id, number]),
    );
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  lookup(body: LookupBody, { onReply, onError }: LookupWaiter): AbandonLookup {
    const controller = new AbortController();
    this.#lookup(body, controller.signal).then(
      (reply) => {
        if (!controller.signal.aborted) onReply(reply);
      },
      (error: unknown) => {
        if (controller.signal.aborted) return;
        if (error instanceof ShardpoolError) onError(error);
        else throw error;
      },
    );
    return () => controller.abort();
  }

  close(): void {
    this.#end(new ShardpoolError("SHARD_UNAVAILABLE", "the link was closed"));
  }

  async #lookup(body: LookupBody, signal: AbortSignal): Promise<ShardLookupReply> {
    this.inFlightCount++;
    try {
      const reply = await this.#engine.lookup(requestOf(body, signal));
      const { pooled, timings, rowsHit, rowsMissed, blocksRead } = reply;
      return {
        correlationId: 0,
        error: null,
        pooled: new Uint8Array(pooled.buffer, pooled.byteOffset, pooled.byteLength),
        timings,
        rowsHit,
        rowsMissed,
        blocksRead,
      };
    } finally {
      this.inFlightCount--;
    }
  }
}

/** The frontend's bytes are views of its own aligned arrays, so they are views here too. */
function requestOf({ timeoutUs, sampleCount, segments }: LookupBody, signal: AbortSignal) {
  return {
    sampleCount,
    segments: segments.map(({ partition, lengths, values, weights }): LookupSegment => {
      const segment = { partition, lengths: uintsOf(lengths), values: uintsOf(values) };
      if (weights.length === 0) return segment;
      return {
        ...segment,
        weights: new Float32Array(weights.buffer, weights.byteOffset, weights.length / 4),
      };
    }),
    deadlineAtMs: performance.now() + timeoutUs / 1000,
    signal,
  } satisfies LookupRequest;
}

function uintsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}
