import type { ShardingPlan } from "../../lib/plan/plan.js";
import { formatMs, formatPercent, formatRate } from "../bench/load/format-numbers.js";
import type { LatencyResult } from "../bench/load/latency-result.js";
import { STAGES } from "../bench/load/stages.js";
import { formatBytes, formatCount } from "../cli/table.js";
import type { DemoPaths } from "./demo-paths.js";

/** Stages named one by one; the rest are told together. */
const STAGES_NAMED = 3;

/** What a newcomer should take away, a line a thing: the last words of the demo. */
export function formatDemoSummary(
  result: LatencyResult,
  plan: ShardingPlan,
  paths: DemoPaths,
): string {
  const lines: (readonly [string, string])[] = [
    ["served", servedLine(plan)],
    ["rate", rateLine(result)],
    ["latency", latencyLine(result)],
    ["time went", stageLine(result)],
    ["AUC", aucLine(result)],
    ["report", `${paths.report} (open it in a browser), ${paths.result} (for programs)`],
    ["files", `model, clicks.arrow, stats.json, plan.json, stores/ and logs/ in ${paths.folder}`],
    [
      "try next",
      `npx shardpool cluster up --model ${paths.model} --plan ${paths.plan} --stats ${paths.stats}`,
    ],
    [
      "",
      `npx shardpool bench peak --target 127.0.0.1:8001 --model ${paths.model} --clicks ${paths.clicks} --slo 'p99<500ms'`,
    ],
  ];
  return ["Summary", ...lines.map(([name, text]) => `  ${name.padEnd(10)} ${text}`)].join("\n");
}

function servedLine({ model, shards, estimate }: ShardingPlan): string {
  const rowBytes = estimate.reduce((sum, shard) => sum + shard.rowBytes, 0);
  const cacheBytes = estimate.reduce((sum, shard) => sum + shard.cacheBytes, 0);
  const share = rowBytes === 0 ? 0 : cacheBytes / rowBytes;
  return `${model.name} version ${model.version}, ${formatBytes(rowBytes)} of rows on ${shards.length} shards, ${formatPercent(share)} of them in memory, the rest on SSD`;
}

function rateLine({
  offeredQps,
  achievedQps,
  samplesPerSecond,
  errorRatio,
}: LatencyResult): string {
  const offered = offeredQps === null ? "" : ` of ${formatRate(offeredQps)} offered`;
  return `${formatRate(achievedQps)} queries/s answered${offered}, ${formatCount(samplesPerSecond)} samples/s, ${formatPercent(errorRatio)} failed`;
}

function latencyLine({ latencyMs, environment }: LatencyResult): string {
  if (latencyMs === null) return "no query was answered";
  return `p50 ${formatMs(latencyMs.p50)} ms, p99 ${formatMs(latencyMs.p99)} ms from the intended send time, all processes on ${environment.coreCount} cores`;
}

function stageLine({ stagesMs, latencyMs }: LatencyResult): string {
  if (stagesMs === null || latencyMs === null || latencyMs.mean === 0) return "not told";
  // A foreign server's stages may pass the latency.
  const totalMs = STAGES.reduce((sum, { name }) => sum + stagesMs[name].mean, 0);
  const shares = STAGES.map(({ name }) => ({ name, share: stagesMs[name].mean / totalMs }));
  const byShare = shares.toSorted((a, b) => b.share - a.share);
  const named = byShare
    .slice(0, STAGES_NAMED)
    .map(({ name, share }) => `${name} ${formatPercent(share)}`);
  const rest = byShare.slice(STAGES_NAMED).reduce((sum, { share }) => sum + share, 0);
  return `${named.join(", ")}, all else ${formatPercent(rest)}`;
}

function aucLine({ auc }: LatencyResult): string {
  if (auc === null) return "not told: too few answers";
  const ceiling = auc.ceiling === null ? "" : `, ${auc.ceiling.toFixed(4)} at best`;
  const shuffled =
    auc.shuffled === null
      ? ""
      : `, ${auc.shuffled.toFixed(4)} with row ids shuffled: the answers come from the rows asked for`;
  return `${auc.served.toFixed(4)} served${ceiling}${shuffled}`;
}
