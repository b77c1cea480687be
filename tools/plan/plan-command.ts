import { Command } from "commander";
import { planCalibrateCommand } from "./plan-calibrate.js";
import { planCheckCommand } from "./plan-check.js";
import { planDiffCommand } from "./plan-diff.js";
import { planMakeCommand } from "./plan-make.js";
import { planShowCommand } from "./plan-show.js";

/** `shardpool plan`. */
export function planCommand(): Command {
  return new Command("plan")
    .description("Places table partitions on shards.")
    .addCommand(planCalibrateCommand())
    .addCommand(planMakeCommand())
    .addCommand(planShowCommand())
    .addCommand(planDiffCommand())
    .addCommand(planCheckCommand());
}
