import { Command } from "commander";
import { shardBuildCommand } from "./shard-build.js";
import { shardInspectCommand } from "./shard-inspect.js";
import { shardServeCommand } from "./shard-serve.js";

/** `shardpool shard`. */
export function shardCommand(): Command {
  return new Command("shard")
    .description("Builds shard stores, inspects them and serves them.")
    .addCommand(shardBuildCommand())
    .addCommand(shardInspectCommand())
    .addCommand(shardServeCommand());
}
