import { createLog } from "../../lib/log.js";
import { REQUEST_WINDOW_BYTES } from "../../lib/rpc/flow-control.js";
import { startGrpcServer } from "../../lib/rpc/grpc-server.js";
import { loadProto, serviceOf } from "../../lib/rpc/load-proto.js";
import type { LookupRequestMessage } from "../../lib/rpc/lookup-codec.js";
import { unaryHandler } from "../../lib/rpc/unary-handler.js";
import type { Cancellation } from "../../shards/server/cancellation.js";
import {
  LOOKUP_STREAM_PATH,
  SHARD_SERVICE,
  withLookupCodec,
} from "../../shards/server/lookup-service.js";
import { LookupStreams } from "../../shards/server/lookup-stream.js";
import type { WireReply } from "../../shards/server/lookup-wire.js";

/** A lookup that has come to a `HeldShard`. */
export interface HeldLookup {
  readonly wire: LookupRequestMessage;
  /** Aborted when the client cancels it or its stream is over. */
  readonly signal: AbortSignal;
  answer(pooled?: Uint8Array): void;
  fail(error: Error): void;
}

/** A real gRPC server over the shard's own streams that answers each lookup when the test says so. */
export interface HeldShard {
  readonly address: string;
  readonly lookups: readonly HeldLookup[];
  /** Ends every open stream. */
  endStreams(): void;
  close(): Promise<void>;
}

export const HELD_MODEL_HASH = "held";

/** Starts one on a free port. */
export async function startHeldShard(partitionIds: readonly string[] = []): Promise<HeldShard> {
  const log = createLog("held-shard", "silent");
  const lookups: HeldLookup[] = [];
  const lookup = (wire: LookupRequestMessage, { signal }: Cancellation): Promise<WireReply> =>
    new Promise((resolve, reject) => {
      const answer = (pooled = new Uint8Array(0)): void =>
        resolve({
          ...{ correlationId: wire.correlationId, error: null, pooled, timings: null },
          ...{ rowsHit: 0, rowsMissed: 0, blocksRead: 0, hasRoom: false },
        });
      lookups.push({ wire, signal, answer, fail: reject });
    });
  const streams = new LookupStreams({ lookup }, log, 1 << 24);
  const definition = loadProto("embedding_shard.proto");
  const server = await startGrpcServer({
    listenAddress: "127.0.0.1:0",
    services: [
      {
        definition: withLookupCodec(serviceOf(definition, SHARD_SERVICE).service),
        implementation: {
          Lookup: unaryHandler(log, async () => ({})),
          Describe: unaryHandler(log, async () => ({
            ...{ shardId: "held", modelHash: HELD_MODEL_HASH, sampleCountMax: 1000 },
            partitions: partitionIds.map((id, number) => ({ id, number })),
          })),
        },
      },
    ],
    calls: new Map([[LOOKUP_STREAM_PATH, (call) => streams.serve(call)]]),
    packages: [],
    messageBytesMax: 1 << 24,
    windowBytes: REQUEST_WINDOW_BYTES,
  });
  return {
    address: server.address,
    lookups,
    endStreams: () => streams.endAll(),
    close: async () => {
      streams.endAll();
      await server.close(200);
    },
  };
}
