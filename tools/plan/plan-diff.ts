import { Command } from "commander";
import { readPlan } from "../../lib/plan/plan-file.js";
import { diffPlans, type PlanDiff, type PlanSide } from "../../services/planner/plan-diff.js";
import { formatBytes, formatCount, formatTable } from "../cli/table.js";
import { oneDigit, percent, us } from "./plan-numbers.js";

/** `shardpool plan diff`. */
export function planDiffCommand(): Command {
  return new Command("diff")
    .description("Shows what moves when one plan replaces another, and what that gains.")
    .argument("<from>", "plan in use")
    .argument("<to>", "plan that would replace it")
    .option("--json", "print the difference as one JSON object")
    .addHelpText("after", "\nExample:\n  shardpool plan diff plan.json next.json")
    .action(planDiff);
}

async function planDiff(
  from: string,
  to: string,
  options: { readonly json?: boolean },
): Promise<void> {
  const diff = diffPlans(await readPlan(from), await readPlan(to));
  console.log(options.json ? JSON.stringify(diff) : formatPlanDiff(diff));
}

/** Tables named in the text; the JSON has all. */
const TABLES_LISTED = 20;
const SHARDS_NAMED_MAX = 4;

function formatPlanDiff(diff: PlanDiff): string {
  const { from, to } = diff;
  const held = diff.bytesMoved + diff.bytesKept;
  const moved = held === 0 ? 0 : diff.bytesMoved / held;
  return [
    formatTable(SIDE_COLUMNS, sideRows(from, to)),
    `${formatBytes(Math.round(diff.bytesMoved))} of ${formatBytes(held)} move (${percent(moved)}); ` +
      `${formatCount(diff.partitionsKept)} of ${formatCount(to.partitionCount)} partitions stay as they are`,
    ...differentSources(from, to),
    formatTable(
      SHARD_COLUMNS,
      diff.shards.map((shard) => [
        shard.shard,
        formatBytes(Math.round(shard.bytesIn)),
        formatBytes(Math.round(shard.bytesOut)),
        shard.costUsBefore === null ? "-" : us(shard.costUsBefore),
        shard.costUsAfter === null ? "-" : us(shard.costUsAfter),
      ]),
    ),
    ...tablesOf(diff),
  ].join("\n\n");
}

const SIDE_COLUMNS = [
  { title: "", align: "left" },
  { title: "from" },
  { title: "to" },
  { title: "change" },
] as const;

const SHARD_COLUMNS = [
  { title: "shard", align: "left" },
  { title: "bytes in" },
  { title: "bytes out" },
  { title: "est. us before" },
  { title: "after" },
] as const;

const TABLE_COLUMNS = [
  { title: "table that moves", align: "left" },
  { title: "bytes" },
  { title: "from", align: "left" },
  { title: "to", align: "left" },
] as const;

function sideRows(from: PlanSide, to: PlanSide): string[][] {
  const change = (before: number, after: number): string =>
    before === 0 ? "" : `${after >= before ? "+" : "-"}${percent(Math.abs(after / before - 1))}`;
  return [
    ["strategy", from.strategy, to.strategy, ""],
    ["epoch", String(from.epoch), String(to.epoch), ""],
    ["shards", String(from.shardCount), String(to.shardCount), ""],
    ["partitions", String(from.partitionCount), String(to.partitionCount), ""],
    [
      "slowest shard, us",
      us(from.slowestUs),
      us(to.slowestUs),
      change(from.slowestUs, to.slowestUs),
    ],
    ["all shards, us", us(from.totalUs), us(to.totalUs), change(from.totalUs, to.totalUs)],
    [
      "blocks a query",
      oneDigit(from.blocksPerQuery),
      oneDigit(to.blocksPerQuery),
      change(from.blocksPerQuery, to.blocksPerQuery),
    ],
  ];
}

function differentSources(from: PlanSide, to: PlanSide): string[] {
  if (from.costSource === to.costSource) return [];
  return [
    `costs of the first come from ${from.costSource ?? "an unknown source"}, ` +
      `of the second from ${to.costSource ?? "an unknown source"}: their difference is not the plans' alone`,
  ];
}

function tablesOf(diff: PlanDiff): string[] {
  if (diff.tables.length === 0) return [];
  const listed = diff.tables.slice(0, TABLES_LISTED);
  const others = diff.tables.length - listed.length;
  const rows = listed.map(({ table, bytesMoved, from, to }) => [
    table,
    formatBytes(Math.round(bytesMoved)),
    shardsNamed(from),
    shardsNamed(to),
  ]);
  const text = formatTable(TABLE_COLUMNS, rows);
  return others > 0 ? [text, `and ${others} tables more`] : [text];
}

function shardsNamed(shards: readonly string[]): string {
  const named = shards.slice(0, SHARDS_NAMED_MAX).join(" ");
  const others = shards.length - SHARDS_NAMED_MAX;
  return others > 0 ? `${named} and ${others} more` : named;
}
