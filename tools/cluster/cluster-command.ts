import { Command } from "commander";
import { clusterStatsCommand } from "./cluster-stats.js";
import { clusterStatusCommand } from "./cluster-status.js";
import { clusterUpCommand } from "./cluster-up.js";

/** `shardpool cluster`. */
export function clusterCommand(): Command {
  return new Command("cluster")
    .description("Runs a whole cluster on this machine.")
    .addCommand(clusterUpCommand())
    .addCommand(clusterStatusCommand())
    .addCommand(clusterStatsCommand());
}
