import type { MethodDefinition } from "@grpc/grpc-js";
import { loadProto, serviceOf } from "../../lib/rpc/load-proto.js";

export type {
  LookupReplyMessage as LookupReply,
  LookupRequestMessage as LookupRequest,
  LookupSegmentMessage as LookupSegment,
  ShardTimingsMessage as ShardTimings,
} from "../../lib/rpc/lookup-codec.js";

export interface DescribeReply {
  readonly shardId: string;
  readonly modelHash: string;
  readonly modelName: string;
  readonly modelVersion: string;
  readonly partitions: readonly { readonly number: number; readonly id: string }[];
  readonly sampleCountMax: number;
  readonly valueCountMax: number;
}

const SERVICE = "shardpool.v1.EmbeddingShard";

export const LOOKUP_STREAM_PATH = `/${SERVICE}/LookupStream`;

export const DESCRIBE = serviceOf(loadProto("embedding_shard.proto"), SERVICE).service[
  "Describe"
] as MethodDefinition<{ readonly withCounters: boolean }, DescribeReply>;
