// The shard's public face: what the command line, the benchmarks and in-process callers may use.

export type { AccessSnapshot, PartitionAccess } from "./engine/access-counter.js";
export { ADMISSIONS, type Admission } from "./engine/admission/admission-policy.js";
export type { MemoryParts } from "./engine/engine-memory.js";
export {
  type EnginePartition,
  type LookupEngine,
  type LookupEngineOptions,
  openLookupEngine,
  type PartitionCounters,
} from "./engine/lookup-engine.js";
export type {
  LookupReply,
  LookupRequest,
  LookupSegment,
  LookupTimings,
} from "./engine/lookup-request.js";
export {
  NULL_MODEL_HASH,
  type NullShardOptions,
  type RunningNullShard,
  startNullShard,
} from "./server/null-shard.js";
export { type RunningShard, startShard } from "./server/start-shard.js";
export { type RawShardConfig, SHARD_DEFAULTS } from "./shard-config.js";
export { BufferRelease } from "./store/buffer-release.js";
export {
  type BuildShardStoreOptions,
  type BuiltShardStore,
  buildShardStore,
} from "./store/build-shard-store.js";
export {
  type InspectedShardStore,
  inspectShardStore,
} from "./store/inspect-shard-store.js";
export type { StoreCatalog, StoredPartition } from "./store/store-catalog.js";
