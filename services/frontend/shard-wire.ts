import type { MethodDefinition } from "@grpc/grpc-js";
import { loadProto, serviceOf } from "../../lib/rpc/load-proto.js";
import {
  decodeLookupReply,
  encodeLookupRequest,
  type LookupReplyMessage,
  type LookupRequestMessage,
} from "../../lib/rpc/lookup-codec.js";

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

const service = serviceOf(
  loadProto("embedding_shard.proto"),
  "shardpool.v1.EmbeddingShard",
).service;

export const LOOKUP_STREAM: MethodDefinition<LookupRequestMessage, LookupReplyMessage> = {
  ...service["LookupStream"]!,
  requestSerialize: encodeLookupRequest,
  responseDeserialize: decodeLookupReply,
};
export const DESCRIBE = service["Describe"] as MethodDefinition<
  { readonly withCounters: boolean },
  DescribeReply
>;
