import { Command } from "commander";
import { frontendServeCommand } from "./frontend-serve.js";

/** `shardpool frontend`. */
export function frontendCommand(): Command {
  return new Command("frontend")
    .description("Serves a model from its shards.")
    .addCommand(frontendServeCommand());
}
