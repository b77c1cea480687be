import { Command } from "commander";

/** `shardpool shard`. */
export function shardCommand(): Command {
  return new Command("shard").description("Builds shard stores and serves them.");
}
