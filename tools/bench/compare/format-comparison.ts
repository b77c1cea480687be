import { formatTable } from "../../cli/table.js";
import { formatMs } from "../load/format-numbers.js";
import type { Comparison, MetricComparison } from "./compare-runs.js";
import type { Interval } from "./statistics.js";

/** A comparison as text for people: the plain verdict last. */
export function formatComparison(comparison: Comparison): string {
  const { metrics, isPaired, aCount, bCount, warnings } = comparison;
  const runs = isPaired ? `${aCount} runs each, in turns` : `${aCount} runs of A, ${bCount} of B`;
  const table = formatTable(
    [
      { title: "", align: "left" },
      { title: "A, median" },
      { title: "A, runs" },
      { title: "B, median" },
      { title: "B, runs" },
      { title: "B / A" },
      { title: "95 % interval" },
      { title: "p" },
      { title: "B is", align: "left" },
    ],
    metrics.map((metric) => [
      `${metric.metric}, ${metric.unit}`,
      formatMs(metric.a),
      formatRange(metric.aRange, formatMs),
      formatMs(metric.b),
      formatRange(metric.bRange, formatMs),
      `${metric.ratio.toFixed(3)}x`,
      metric.interval === null ? "-" : formatRange(metric.interval, (value) => value.toFixed(3)),
      metric.pValue < 0.001 ? "<0.001" : metric.pValue.toFixed(3),
      metric.reason === "" ? metric.verdict : `cannot tell: ${metric.reason}`,
    ]),
  );
  const method = isPaired
    ? "p: sign-flip permutation test of the pairs' log ratios; interval: bootstrap of their median"
    : "p: Mann–Whitney U over runs; interval: bootstrap of the ratio of medians";
  const notes = warnings.map((warning) => `NOTE: ${warning}`);
  return [runs, "", table, "", method, ...notes, ...formatVerdicts(metrics)].join("\n");
}

function formatRange({ low, high }: Interval, format: (value: number) => string): string {
  return `${format(low)}–${format(high)}`;
}

function formatVerdicts(metrics: readonly MetricComparison[]): string[] {
  const told = metrics.filter(({ verdict }) => verdict !== "cannot tell");
  if (told.length === 0) return ["", "VERDICT: cannot tell A and B apart"];
  const parts = told.map(
    ({ verdict, metric, ratio }) => `${verdict} in ${metric} (${ratio.toFixed(2)}x)`,
  );
  return ["", `VERDICT: B is ${parts.join(", ")}`];
}
