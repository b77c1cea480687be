import { Command } from "commander";

/** `shardpool frontend`. */
export function frontendCommand(): Command {
  return new Command("frontend").description("Serves a model from its shards.");
}
