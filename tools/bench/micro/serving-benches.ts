import { clusterP99, overload } from "./cluster/cluster-load.js";
import { clusterBatch16, clusterBatch128, clusterCpu } from "./cluster/cluster-throughput.js";
import type { MicroBench } from "./micro-bench.js";
import { rpcStream, rpcUnary } from "./rpc/rpc-benches.js";

/** The benchmarks that start processes: the wire between frontend and shard, and a whole cluster. */
export const SERVING_BENCHES: readonly MicroBench[] = [
  rpcStream,
  rpcUnary,
  clusterBatch128,
  clusterBatch16,
  clusterCpu,
  clusterP99,
  overload,
];
