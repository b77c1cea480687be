// The frontend's public face: what the command line and the benchmarks may use of it.
export {
  createDenseSession,
  type DenseOutputs,
  type DenseSession,
  type DenseSessionOptions,
} from "./dense-session.js";
export { FRONTEND_DEFAULTS, type RawFrontendConfig } from "./frontend-config.js";
export {
  type AbandonLookup,
  type LookupBody,
  type LookupWaiter,
  type OpenShardLink,
  ShardConnection,
  type ShardLink,
  type ShardTarget,
} from "./shard-connection.js";
export type { LookupReply as ShardLookupReply } from "./shard-wire.js";
export {
  type RunningFrontend,
  type StartFrontendOptions,
  startFrontend,
} from "./start-frontend.js";
