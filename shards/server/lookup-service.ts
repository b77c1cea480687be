import type { ServiceDefinition } from "@grpc/grpc-js";
import { decodeLookupRequest } from "../../lib/rpc/lookup-codec.js";
import { serializeReply } from "./lookup-wire.js";

/** The gRPC service of a shard. */
export const SHARD_SERVICE = "shardpool.v1.EmbeddingShard";

/** The stream is served without grpc-js, by `LookupStreams`. */
export const LOOKUP_STREAM_PATH = `/${SHARD_SERVICE}/LookupStream`;

/** The service with the messages of `Lookup` read and written by hand. */
export function withLookupCodec(definition: ServiceDefinition): ServiceDefinition {
  const codec = { requestDeserialize: decodeLookupRequest, responseSerialize: serializeReply };
  return {
    ...definition,
    Lookup: { ...definition["Lookup"]!, ...codec },
  };
}
