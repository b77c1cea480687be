import { Command } from "commander";
import { clicksInspectCommand } from "./clicks-inspect.js";
import { clicksStatsCommand } from "./clicks-stats.js";
import { clicksSynthCommand } from "./clicks-synth.js";
import { clicksImportCommand } from "./import/clicks-import.js";

/** `shardpool clicks`. */
export function clicksCommand(): Command {
  return new Command("clicks")
    .description("Makes click logs and counts what they read.")
    .addCommand(clicksSynthCommand())
    .addCommand(clicksImportCommand())
    .addCommand(clicksStatsCommand())
    .addCommand(clicksInspectCommand());
}
