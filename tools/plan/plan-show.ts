import { Command } from "commander";
import { readPlan } from "../../lib/plan/plan-file.js";
import { describePlan } from "../../services/planner/plan-report.js";
import { formatPlanReport } from "./format-plan-report.js";

/** `shardpool plan show`. */
export function planShowCommand(): Command {
  return new Command("show")
    .description("Shows what each shard of a plan holds and what a query will cost it.")
    .argument("<file>", "plan")
    .option("--json", "print the report as one JSON object")
    .addHelpText("after", "\nExample:\n  shardpool plan show plan.json")
    .action(planShow);
}

async function planShow(file: string, options: { readonly json?: boolean }): Promise<void> {
  const report = describePlan(await readPlan(file));
  console.log(options.json ? JSON.stringify(report) : formatPlanReport(report));
}
