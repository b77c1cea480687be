import { type ClientReadableStream, credentials, type ServiceError } from "@grpc/grpc-js";
import { fromServiceError } from "./grpc-status.js";
import { loadProto, serviceOf } from "./load-proto.js";

/** What a shard counted: `AccessTotals` of proto/embedding_shard.proto, and its partitions. */
export interface ShardAccessCounts {
  readonly shardId: string;
  readonly modelHash: string;
  /** One lookup in so many was counted; 0 when none was. */
  readonly every: number;
  readonly lookupCount: number;
  readonly sampleCount: number;
  readonly partitions: ReadonlyMap<number, PartitionAccessCounts>;
}

/** Counts as the shard has them: of the lookups counted, row ids local to the partition. */
export interface PartitionAccessCounts {
  readonly readCount: number;
  readonly droppedCountMax: number;
  readonly isFull: boolean;
  /** Each a message: as many row ids as counts. */
  readonly chunks: readonly { readonly rowIds: Uint32Array; readonly counts: Uint32Array }[];
}

interface WireReply {
  readonly totals: {
    readonly shardId: string;
    readonly modelHash: string;
    readonly every: number;
    readonly lookups: string;
    readonly samples: string;
  } | null;
  readonly access: {
    readonly partition: number;
    readonly reads: string;
    readonly droppedCountMax: number;
    readonly full: boolean;
    readonly rowIds: Uint8Array;
    readonly counts: Uint8Array;
  } | null;
}

interface StatsClient {
  collectStats(
    request: { readonly reset: boolean },
    options: { readonly deadline: Date },
  ): ClientReadableStream<WireReply>;
  close(): void;
}

/**
 * Asks a shard which rows were read how often.
 *
 * @param reset Lets it count from 0 again.
 * @throws ShardpoolError TARGET_UNAVAILABLE or DEADLINE_EXCEEDED, naming the address.
 */
export async function fetchAccessCounts(
  address: string,
  { reset, timeoutMs }: { readonly reset: boolean; readonly timeoutMs: number },
): Promise<ShardAccessCounts> {
  const Service = serviceOf(loadProto("embedding_shard.proto"), "shardpool.v1.EmbeddingShard");
  const client = new Service(address, credentials.createInsecure()) as unknown as StatsClient;
  const partitions = new Map<number, PartitionAccessCounts>();
  let totals: WireReply["totals"] = null;
  try {
    const deadline = new Date(Date.now() + timeoutMs);
    for await (const reply of client.collectStats({ reset }, { deadline })) {
      const { totals: first, access } = reply as WireReply;
      totals ??= first;
      if (access !== null) addChunk(partitions, access);
    }
  } catch (error) {
    throw fromServiceError(error as ServiceError, `shard at ${address}`);
  } finally {
    client.close();
  }
  const { shardId = "", modelHash = "", every = 0, lookups = 0, samples = 0 } = totals ?? {};
  const counted = { lookupCount: Number(lookups), sampleCount: Number(samples) };
  return { shardId, modelHash, every, ...counted, partitions };
}

function addChunk(
  partitions: Map<number, PartitionAccessCounts>,
  access: NonNullable<WireReply["access"]>,
): void {
  const { partition, reads, droppedCountMax, full } = access;
  const chunk = { rowIds: uint32Of(access.rowIds), counts: uint32Of(access.counts) };
  const chunks = [...(partitions.get(partition)?.chunks ?? []), chunk];
  partitions.set(partition, { readCount: Number(reads), droppedCountMax, isFull: full, chunks });
}

/** Received bytes start anywhere: they are copied once to where numbers may. */
function uint32Of(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(new Uint8Array(bytes).buffer);
}
