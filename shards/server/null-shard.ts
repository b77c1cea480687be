import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import { createLog, type Logger } from "../../lib/log.js";
import { messagePool } from "../../lib/rpc/byte-pool.js";
import { REQUEST_WINDOW_BYTES } from "../../lib/rpc/flow-control.js";
import { startGrpcServer } from "../../lib/rpc/grpc-server.js";
import { loadProto, serviceOf } from "../../lib/rpc/load-proto.js";
import { type LookupRequestMessage, REPLY_ROOM_BYTES } from "../../lib/rpc/lookup-codec.js";
import { unaryHandler } from "../../lib/rpc/unary-handler.js";
import { SHARD_DEFAULTS } from "../shard-config.js";
import { LOOKUP_STREAM_PATH, SHARD_SERVICE, withLookupCodec } from "./lookup-service.js";
import { type LookupAnswerer, LookupStreams } from "./lookup-stream.js";
import type { WireReply } from "./lookup-wire.js";
import { removeStaleSocket } from "./stale-socket.js";

export interface NullShardOptions {
  /** `host:port`, where port 0 picks a free one, or `unix:PATH`. */
  readonly listenAddress: string;
  /** Columns of each of its partitions, whatever their number in a lookup. */
  readonly columnCount: number;
}

/** A null shard that serves. */
export interface RunningNullShard {
  /** The address bound, with its real port. */
  readonly address: string;
  close(): Promise<void>;
}

/** The model a null shard says it serves. */
export const NULL_MODEL_HASH = "0".repeat(64);

const MESSAGE_BYTES_MAX = 256 * 1024 * 1024;
/** Streams have been ended by then; this is for clients that do not read the end. */
const STREAM_END_MS = 500;

/**
 * A shard without rows: it takes lookups off the wire as a shard does and answers each at once with
 * zeros of the right size. What is measured with it is the wire alone.
 *
 * @throws ShardpoolError ADDRESS_IN_USE.
 */
export async function startNullShard(options: NullShardOptions): Promise<RunningNullShard> {
  const { listenAddress, columnCount } = options;
  const log = createLog("null-shard", "warn");
  const answerer: LookupAnswerer = { lookup: async (wire) => zerosFor(wire, columnCount) };
  const streams = new LookupStreams(answerer, log, MESSAGE_BYTES_MAX);
  const definition = loadProto("embedding_shard.proto");
  await removeStaleSocket(listenAddress);
  const server = await startGrpcServer({
    listenAddress,
    services: [
      {
        definition: withLookupCodec(serviceOf(definition, SHARD_SERVICE).service),
        implementation: createService(answerer, log),
      },
    ],
    calls: new Map([[LOOKUP_STREAM_PATH, (call) => streams.serve(call)]]),
    packages: [definition],
    windowBytes: REQUEST_WINDOW_BYTES,
    messageBytesMax: MESSAGE_BYTES_MAX,
  });
  server.setServing("", true);
  return {
    address: server.address,
    close: async () => {
      streams.endAll();
      await server.close(STREAM_END_MS);
    },
  };
}

function zerosFor(wire: LookupRequestMessage, columnCount: number): WireReply {
  const valueBytes = wire.float16Reply ? 2 : 4;
  const length = wire.segments.length * wire.sampleCount * columnCount * valueBytes;
  const { buffer, byteOffset } = messagePool.take(length + 2 * REPLY_ROOM_BYTES);
  const pooled = new Uint8Array(buffer, byteOffset + REPLY_ROOM_BYTES, length).fill(0);
  return {
    correlationId: wire.correlationId,
    error: null,
    pooled,
    timings: null,
    ...{ rowsHit: 0, rowsMissed: 0, blocksRead: 0 },
    hasRoom: true,
  };
}

function createService(answerer: LookupAnswerer, log: Logger): UntypedServiceImplementation {
  const { sampleCountMax, valueCountMax } = SHARD_DEFAULTS;
  return {
    Lookup: unaryHandler<LookupRequestMessage, WireReply>(log, (request) =>
      answerer.lookup(request, new AbortController()),
    ),
    Describe: unaryHandler(log, async () => ({
      ...{ shardId: "null", modelHash: NULL_MODEL_HASH, modelName: "null", modelVersion: "1" },
      ...{ partitions: [], sampleCountMax, valueCountMax },
    })),
  };
}
