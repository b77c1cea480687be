import type { ReuseHistogram } from "../../lib/stats/reuse-histogram.js";
import { formatCount, formatTable } from "../cli/table.js";

/** The reuse table as text; beside a target's where one is given. */
export function formatReuse(achieved: ReuseHistogram, target?: ReuseHistogram): string {
  const columns = [
    { title: "rows read more than" },
    { title: "% of touched rows" },
    { title: "% of reads" },
  ];
  if (target) columns.push({ title: "rows wanted" }, { title: "reads wanted" });
  const rows = achieved.bins.map((bin, b) => {
    const wanted = target?.bins[b];
    const cells = [`${bin.above}`, percent(bin.rowShare), percent(bin.readShare)];
    return wanted ? [...cells, percent(wanted.rowShare), percent(wanted.readShare)] : cells;
  });
  const wantedMean = target ? ` (${target.meanReuse.toFixed(1)} wanted)` : "";
  const summary =
    `${formatCount(achieved.readCount)} reads of ${formatCount(achieved.touchedRowCount)} rows: ` +
    `${achieved.meanReuse.toFixed(2)} reads a touched row${wantedMean}`;
  return `${summary}\n${formatTable(columns, rows)}`;
}

function percent(share: number): string {
  return (share * 100).toFixed(1);
}
