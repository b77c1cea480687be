import { Command } from "commander";
import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import { writeFileWhole } from "../../lib/files.js";
import { readPlan } from "../../lib/plan/plan-file.js";
import { describePlan } from "../../services/planner/plan-report.js";
import { formatPlanReport } from "./format-plan-report.js";
import { planPage } from "./html/plan-page.js";

const showOptionsSchema = z.strictObject({
  json: z.boolean().default(false),
  tables: z.coerce.number().int().min(0).optional(),
  html: z.string().optional(),
  latencyBoundMs: z.coerce.number().positive().optional(),
});

/** `shardpool plan show`. */
export function planShowCommand(): Command {
  return new Command("show")
    .description("Shows what each shard of a plan holds and what a query will cost it.")
    .argument("<file>", "plan")
    .option("--json", "print the report as one JSON object")
    .option("--tables <n>", "tables to list, dearest first (default: 40)")
    .option("--html <file>", "write a page that draws it, complete in one file")
    .option("--latency-bound-ms <ms>", "warn when block reads alone take longer on a shard")
    .addHelpText(
      "after",
      "\nExamples:\n  shardpool plan show plan.json --latency-bound-ms 60\n  shardpool plan show plan.json --html plan.html",
    )
    .action(planShow);
}

async function planShow(file: string, raw: unknown): Promise<void> {
  const { json, tables, html, latencyBoundMs } = parseConfig(showOptionsSchema, raw, "plan show");
  const plan = await readPlan(file);
  if (html !== undefined) {
    await writeFileWhole(html, planPage(plan, { latencyBoundMs }));
    console.log(json ? JSON.stringify({ html }) : `${html}: the plan as a page`);
    return;
  }
  const report = describePlan(plan);
  const text = formatPlanReport(report, {
    latencyBoundMs,
    ...(tables === undefined ? {} : { tablesMax: tables }),
  });
  console.log(json ? JSON.stringify(report) : text);
}
