import { credentials, type ServiceError } from "@grpc/grpc-js";
import { fromServiceError } from "./grpc-status.js";
import { loadProto, serviceOf } from "./load-proto.js";

/** What a shard says of itself: `DescribeReply` of proto/embedding_shard.proto, 64-bit as text. */
export interface ShardDescription {
  readonly shardId: string;
  readonly modelHash: string;
  readonly modelName: string;
  readonly modelVersion: string;
  readonly partitions: readonly {
    readonly number: number;
    readonly id: string;
    readonly table: string;
    readonly rowStart: number;
    readonly rowEnd: number;
    readonly columnStart: number;
    readonly columnEnd: number;
    readonly dtype: string;
    readonly counters: {
      readonly rowsHit: string;
      readonly rowsMissed: string;
      readonly blocksRead: string;
      readonly blocksEvicted: string;
      readonly blocksRefused: string;
      readonly cacheBytesResident: string;
      readonly cacheBytesMax: string;
    } | null;
  }[];
  readonly memoryBytesMax: string;
  readonly memoryBytesResident: string;
  readonly cpuUs: string;
}

interface DescribeClient {
  describe(
    request: { withCounters: boolean },
    options: { deadline: Date },
    callback: (error: ServiceError | null, reply?: ShardDescription) => void,
  ): void;
  close(): void;
}

/**
 * Asks a shard what it holds and how it is doing, counters included.
 *
 * @throws ShardpoolError TARGET_UNAVAILABLE or DEADLINE_EXCEEDED, naming the address.
 */
export function fetchShardDescription(
  address: string,
  { timeoutMs }: { readonly timeoutMs: number },
): Promise<ShardDescription> {
  const Service = serviceOf(loadProto("embedding_shard.proto"), "shardpool.v1.EmbeddingShard");
  const client = new Service(address, credentials.createInsecure()) as unknown as DescribeClient;
  return new Promise((resolve, reject) => {
    const deadline = new Date(Date.now() + timeoutMs);
    client.describe({ withCounters: true }, { deadline }, (error, reply) => {
      client.close();
      if (error) reject(fromServiceError(error, `shard at ${address}`));
      else resolve(reply!);
    });
  });
}
