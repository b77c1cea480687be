import { formatTable } from "../../cli/table.js";
import type { MicroBench, MicroResult } from "./micro-bench.js";

/** Results as a table for people. */
export function formatMicroResults(results: readonly MicroResult[]): string {
  const rows = results.map((result) => [
    result.case === undefined ? result.name : `${result.name} (${result.case})`,
    formatValue(result.value),
    spreadOf(result.spread?.value),
    formatValue(result.baseline.value),
    spreadOf(result.spread?.baseline),
    result.unit,
    result.ratio.toFixed(2),
    result.cpuRatio?.toFixed(2) ?? "",
    result.correct ? "yes" : "NO",
    result.baseline.name,
  ]);
  return formatTable(
    [
      { title: "benchmark", align: "left" },
      { title: "value" },
      { title: "spread" },
      { title: "baseline" },
      { title: "spread" },
      { title: "unit", align: "left" },
      { title: "ratio" },
      { title: "by cpu" },
      { title: "correct", align: "left" },
      { title: "baseline is", align: "left" },
    ],
    rows,
  );
}

export function formatMicroList(benches: readonly MicroBench[]): string {
  return formatTable(
    [
      { title: "benchmark", align: "left" },
      { title: "measures", align: "left" },
    ],
    benches.map(({ name, summary }) => [name, summary]),
  );
}

/** Three figures: a benchmark has no more. */
function formatValue(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toPrecision(3)} M`;
  if (value >= 1e4) return `${(value / 1e3).toPrecision(3)} k`;
  return value.toPrecision(3);
}

function spreadOf(quartiles: readonly [number, number] | undefined): string {
  if (quartiles === undefined) return "";
  const [low, high] = quartiles.map((share) => Math.round((share - 1) * 100));
  return `${low! > 0 ? "+" : ""}${low} to +${high} %`;
}
