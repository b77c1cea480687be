import { Command } from "commander";
import { planMakeCommand } from "./plan-make.js";
import { planShowCommand } from "./plan-show.js";

/** `shardpool plan`. */
export function planCommand(): Command {
  return new Command("plan")
    .description("Places table partitions on shards.")
    .addCommand(planMakeCommand())
    .addCommand(planShowCommand());
}
