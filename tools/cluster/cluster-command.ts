import { Command } from "commander";

/** `shardpool cluster`. */
export function clusterCommand(): Command {
  return new Command("cluster").description("Runs a whole cluster on this machine.");
}
