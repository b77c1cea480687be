import { Command } from "commander";

/** `shardpool plan`. */
export function planCommand(): Command {
  return new Command("plan").description("Places table partitions on shards.");
}
