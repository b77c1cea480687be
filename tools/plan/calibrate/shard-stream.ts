import {
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceError,
} from "@grpc/grpc-js";
import { ShardpoolError } from "../../../lib/errors.js";
import type { ShardDescription } from "../../../lib/rpc/describe-client.js";
import { FLOW_CONTROL_CHANNEL_OPTIONS } from "../../../lib/rpc/flow-control.js";
import { fromServiceError } from "../../../lib/rpc/grpc-status.js";
import { loadProto, serviceOf } from "../../../lib/rpc/load-proto.js";

/** A lookup as proto/embedding_shard.proto has it, without what the stream fills in. */
export interface StreamLookup {
  readonly sampleCount: number;
  readonly segments: readonly {
    readonly partition: number;
    readonly lengths: Uint8Array;
    readonly values: Uint8Array;
  }[];
}

export interface StreamReply {
  readonly correlationId: number;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly pooled: Uint8Array;
  readonly rowsHit: number;
  readonly rowsMissed: number;
  readonly blocksRead: number;
  /** On the shard's own clock. */
  readonly timings: { readonly totalUs: number } | null;
}

const MESSAGE_BYTES_MAX = 256 << 20;
const DESCRIBE_TIMEOUT_MS = 10_000;

const SERVICE = serviceOf(
  loadProto("embedding_shard.proto"),
  "shardpool.v1.EmbeddingShard",
).service;
const LOOKUP_STREAM = SERVICE["LookupStream"] as MethodDefinition<object, StreamReply>;
const DESCRIBE = SERVICE["Describe"] as MethodDefinition<object, ShardDescription>;

/** A lookup stream to one shard with one lookup in flight, as a frontend holds it open. */
export class ShardStream {
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<object, StreamReply>;
  #settle: { resolve: (reply: StreamReply) => void; reject: (error: unknown) => void } | undefined;
  #correlationId = 0;
  #endedWith: unknown;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), {
      ...FLOW_CONTROL_CHANNEL_OPTIONS,
      "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
      "grpc.max_send_message_length": MESSAGE_BYTES_MAX,
    });
    this.#stream = this.#client.makeBidiStreamRequest(
      LOOKUP_STREAM.path,
      LOOKUP_STREAM.requestSerialize,
      LOOKUP_STREAM.responseDeserialize,
    );
    this.#stream.on("data", (reply: StreamReply) => this.#take(reply));
    this.#stream.on("error", (error: ServiceError) =>
      this.#end(fromServiceError(error, `shard at ${address}`)),
    );
    this.#stream.on("end", () =>
      this.#end(new ShardpoolError("SHARD_UNAVAILABLE", `shard at ${address} ended the stream`)),
    );
  }

  /**
   * Sends a lookup and waits for its answer; the caller sends no other meanwhile.
   *
   * @throws ShardpoolError PROCESS_FAILED for a lookup that the shard refuses, SHARD_UNAVAILABLE.
   */
  lookup(lookup: StreamLookup): Promise<StreamReply> {
    return new Promise((resolve, reject) => {
      if (this.#endedWith !== undefined) {
        reject(this.#endedWith);
        return;
      }
      this.#settle = { resolve, reject };
      this.#stream.write({ ...lookup, correlationId: ++this.#correlationId });
    });
  }

  /** What the shard holds and has spent; on the open connection, which costs it next to nothing. */
  describe(): Promise<ShardDescription> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        DESCRIBE.path,
        DESCRIBE.requestSerialize,
        DESCRIBE.responseDeserialize,
        { withCounters: false },
        new Metadata(),
        { deadline: Date.now() + DESCRIBE_TIMEOUT_MS },
        (error, reply) => {
          if (error) reject(fromServiceError(error, "shard"));
          else resolve(reply!);
        },
      );
    });
  }

  close(): void {
    this.#stream.cancel();
    this.#client.close();
  }

  #take(reply: StreamReply): void {
    const settle = this.#settle;
    this.#settle = undefined;
    if (reply.error === null) settle?.resolve(reply);
    else {
      const { code, message } = reply.error;
      settle?.reject(
        new ShardpoolError("PROCESS_FAILED", `the shard answered ${code}: ${message}`),
      );
    }
  }

  #end(error: unknown): void {
    this.#endedWith = error;
    this.#settle?.reject(error);
    this.#settle = undefined;
  }
}
