import { Command } from "commander";

/** `shardpool demo`. */
export function demoCommand(): Command {
  return new Command("demo").description("The whole main job in one command, then a report.");
}
