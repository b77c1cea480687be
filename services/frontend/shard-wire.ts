import type { MethodDefinition } from "@grpc/grpc-js";
import { loadProto, serviceOf } from "../../lib/rpc/load-proto.js";

/** `shardpool.v1.LookupRequest`; bytes and rules stand in `proto/embedding_shard.proto`. */
export interface LookupRequest {
  readonly correlationId: number;
  readonly timeoutUs: number;
  readonly sampleCount: number;
  readonly segments: readonly LookupSegment[];
  readonly float16Reply: boolean;
  readonly traceparent: string;
}

export interface LookupSegment {
  readonly partition: number;
  readonly lengths: Uint8Array;
  readonly values: Uint8Array;
  readonly weights: Uint8Array;
}

export interface LookupReply {
  readonly correlationId: number;
  readonly error: {
    readonly status: number;
    readonly code: string;
    readonly message: string;
  } | null;
  readonly pooled: Uint8Array;
  readonly timings: ShardTimings | null;
  readonly rowsHit: number;
  readonly rowsMissed: number;
  readonly blocksRead: number;
}

/** Microseconds, on the shard's clock. */
export interface ShardTimings {
  readonly queueUs: number;
  readonly memoryUs: number;
  readonly ssdUs: number;
  readonly poolUs: number;
  readonly totalUs: number;
}

export interface DescribeReply {
  readonly shardId: string;
  readonly modelHash: string;
  readonly modelName: string;
  readonly modelVersion: string;
  readonly partitions: readonly { readonly number: number; readonly id: string }[];
  readonly sampleCountMax: number;
  readonly valueCountMax: number;
}

const service = serviceOf(
  loadProto("embedding_shard.proto"),
  "shardpool.v1.EmbeddingShard",
).service;

export const LOOKUP_STREAM = service["LookupStream"] as MethodDefinition<
  LookupRequest,
  LookupReply
>;
export const DESCRIBE = service["Describe"] as MethodDefinition<
  { readonly withCounters: boolean },
  DescribeReply
>;
