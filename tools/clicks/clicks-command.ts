import { Command } from "commander";

/** `shardpool clicks`. */
export function clicksCommand(): Command {
  return new Command("clicks").description("Makes click logs and counts what they read.");
}
