import type { ServiceDefinition } from "@grpc/grpc-js";
import { decodeLookupRequest } from "../../lib/rpc/lookup-codec.js";
import { serializeReply } from "./lookup-wire.js";

/** The gRPC service of a shard. */
export const SHARD_SERVICE = "shardpool.v1.EmbeddingShard";

/** The service with the messages of the hot path read and written by hand. */
export function withLookupCodec(definition: ServiceDefinition): ServiceDefinition {
  const codec = { requestDeserialize: decodeLookupRequest, responseSerialize: serializeReply };
  return {
    ...definition,
    LookupStream: { ...definition["LookupStream"]!, ...codec },
    Lookup: { ...definition["Lookup"]!, ...codec },
  };
}
