import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { FLOW_CONTROL_CHANNEL_OPTIONS } from "../../../../lib/rpc/flow-control.js";
import {
  decodeLookupReply,
  encodeLookupRequest,
  type LookupReplyMessage,
  type LookupRequestMessage,
} from "../../../../lib/rpc/lookup-codec.js";
import { ShardConnection } from "../../../../services/frontend/index.js";
import { NULL_MODEL_HASH } from "../../../../shards/index.js";
import type { Exchange } from "./exchange-contender.js";
import { countsOf, type RpcCase } from "./rpc-cases.js";

const CONNECT_TIMEOUT_MS = 5000;
const LOOKUP_PATH = "/shardpool.v1.EmbeddingShard/Lookup";
const TIMEOUT_US = 10_000_000;
const NO_BYTES = new Uint8Array(0);

/** Both ways to a null shard: the frontend's own connection, and a unary call a lookup. */
export class NullShardClient {
  readonly #stream: ShardConnection;
  readonly #unary: Client;

  private constructor(stream: ShardConnection, unary: Client) {
    this.#stream = stream;
    this.#unary = unary;
  }

  static async connect(address: string): Promise<NullShardClient> {
    const target = {
      ...{ shardId: "null", address, modelHash: NULL_MODEL_HASH, partitions: [] },
      ...{ messageBytesMax: 1 << 28, sampleCountMax: 1 },
    };
    const stream = await ShardConnection.open(target, CONNECT_TIMEOUT_MS);
    const channelOptions = { ...FLOW_CONTROL_CHANNEL_OPTIONS, "grpc.use_local_subchannel_pool": 1 };
    return new NullShardClient(
      stream,
      new Client(address, credentials.createInsecure(), channelOptions),
    );
  }

  /** An exchange over the open stream. */
  streamExchange(rpcCase: RpcCase): Exchange {
    const { correlationId: _, cancel: __, ping: ___, ...body } = requestOf(rpcCase);
    return () =>
      new Promise((resolve, reject) => {
        const onReply = ({ pooled }: LookupReplyMessage): void => resolve(pooled.length);
        this.#stream.lookup(body, { onReply, onError: reject });
      });
  }

  /** An exchange as a call of its own. */
  unaryExchange(rpcCase: RpcCase): Exchange {
    const request = requestOf(rpcCase);
    return async () => (await this.#call(request)).pooled.length;
  }

  close(): void {
    this.#stream.close();
    this.#unary.close();
  }

  #call(request: LookupRequestMessage): Promise<LookupReplyMessage> {
    return new Promise((resolve, reject) => {
      this.#unary.makeUnaryRequest(
        LOOKUP_PATH,
        encodeLookupRequest,
        decodeLookupReply,
        request,
        new Metadata(),
        (error, reply) => {
          if (reply) resolve(reply);
          else reject(error);
        },
      );
    });
  }
}

function requestOf(rpcCase: RpcCase): LookupRequestMessage {
  const { sampleCount, valueCount } = countsOf(rpcCase);
  const lengths = new Uint32Array(sampleCount);
  lengths[0] = valueCount;
  const values = Uint32Array.from({ length: valueCount }, (_, i) => i);
  const segment = {
    ...{ partition: 0, lengths: bytesOf(lengths), values: bytesOf(values), weights: NO_BYTES },
  };
  return {
    ...{ correlationId: 0, timeoutUs: TIMEOUT_US, sampleCount, segments: [segment] },
    ...{ float16Reply: false, traceparent: "", cancel: false, ping: false },
  };
}

function bytesOf(values: Uint32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
