import type { Command } from "commander";

/** A verb of the command line that is loaded when it is asked for. */
export interface LazyCommand {
  readonly name: string;
  /** What help says of it; the command itself says the same. */
  readonly description: string;
  load(): Promise<Command>;
}

/**
 * Every verb, in the order of help. A process loads its own alone: a shard or a frontend that held the code
 * of all would start half a second later, and its garbage collector would go through it each time.
 */
export const COMMANDS: readonly LazyCommand[] = [
  {
    name: "demo",
    description: "The whole main job in one command, then a report.",
    load: async () => (await import("../demo/demo-command.js")).demoCommand(),
  },
  {
    name: "model",
    description: "Makes, imports and checks model directories.",
    load: async () => (await import("../model/model-command.js")).modelCommand(),
  },
  {
    name: "clicks",
    description: "Makes click logs and counts what they read.",
    load: async () => (await import("../clicks/clicks-command.js")).clicksCommand(),
  },
  {
    name: "plan",
    description: "Places table partitions on shards.",
    load: async () => (await import("../plan/plan-command.js")).planCommand(),
  },
  {
    name: "shard",
    description: "Builds shard stores, inspects them and serves them.",
    load: async () => (await import("../shard/shard-command.js")).shardCommand(),
  },
  {
    name: "frontend",
    description: "Serves a model from its shards.",
    load: async () => (await import("../frontend/frontend-command.js")).frontendCommand(),
  },
  {
    name: "cluster",
    description: "Runs a whole cluster on this machine.",
    load: async () => (await import("../cluster/cluster-command.js")).clusterCommand(),
  },
  {
    name: "bench",
    description: "Measures latency, throughput and parts.",
    load: async () => (await import("../bench/bench-command.js")).benchCommand(),
  },
];
