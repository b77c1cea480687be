import { formatMs } from "../load/format-numbers.js";
import type { QueryTrace } from "../load/query-trace.js";
import { traceBars } from "../load/trace-bars.js";
import { type Chart, COLORS, GRID, LEGEND, valueAxisAcross } from "./chart.js";

/** A line of the waterfall: parts end to end from a start. */
interface TraceRow {
  readonly name: string;
  readonly startMs: number;
  readonly parts: readonly { readonly kind: PartKind; readonly ms: number }[];
}

const COLOR_BY_KIND = {
  client: COLORS.grey,
  frontend: COLORS.sky,
  network: COLORS.amber,
  memory: COLORS.green,
  SSD: COLORS.orange,
  pooling: COLORS.purple,
  dense: COLORS.blue,
  other: COLORS.light,
} as const;
type PartKind = keyof typeof COLOR_BY_KIND;

/** One query's way through client, frontend and every shard. */
export function traceChart(trace: QueryTrace): Chart {
  const rows = rowsOf(trace);
  return {
    title: `Query ${trace.index}, ${trace.atSeconds.toFixed(2)} s into the run: ${formatMs(trace.latencyMs)} ms.`,
    note: "",
    height: 84 + 24 * rows.length,
    option: (width) => ({
      legend: { ...LEGEND, itemGap: 14, data: Object.keys(COLOR_BY_KIND) },
      grid: { ...GRID, top: width === "wide" ? 34 : 52 },
      xAxis: valueAxisAcross("ms since it was due", width),
      yAxis: {
        type: "category",
        data: rows.map(({ name }) => name),
        inverse: true,
        axisTick: { show: false },
      },
      series: [
        {
          type: "bar",
          stack: "way",
          data: rows.map(({ startMs }) => startMs),
          itemStyle: { color: "transparent" },
        },
        ...seriesOf(rows),
      ],
    }),
  };
}

/** The n-th part of each row is one series, so that the parts of a row keep their order. */
function seriesOf(rows: readonly TraceRow[]) {
  const depth = Math.max(...rows.map(({ parts }) => parts.length));
  return (Object.keys(COLOR_BY_KIND) as PartKind[])
    .flatMap((kind) => Array.from({ length: depth }, (_, place) => ({ kind, place })))
    .sort((a, b) => a.place - b.place)
    .map(({ kind, place }) => ({
      name: kind,
      type: "bar" as const,
      stack: "way",
      barMaxWidth: 14,
      itemStyle: { color: COLOR_BY_KIND[kind] },
      data: rows.map(({ parts }) => (parts[place]?.kind === kind ? parts[place].ms : 0)),
    }));
}

function rowsOf(trace: QueryTrace): TraceRow[] {
  const rows: { name: string; startMs: number; parts: { kind: PartKind; ms: number }[] }[] = [];
  for (const bar of traceBars(trace)) {
    const row = rows.at(-1);
    const isShard = trace.shards.some(({ shardId }) => shardId === bar.name);
    if (bar.level === 2 && row !== undefined)
      row.parts.push({ kind: kindOf(bar.name), ms: bar.ms });
    else {
      const parts = isShard ? [] : [{ kind: kindOf(bar.name), ms: bar.ms }];
      rows.push({ name: bar.name, startMs: bar.startMs, parts });
    }
  }
  return rows;
}

function kindOf(name: string): PartKind {
  if (name.startsWith("client") || name === "sent late") return "client";
  if (name === "frontend" || name === "queue") return "frontend";
  if (name.startsWith("network")) return "network";
  if (name === "memory" || name === "SSD" || name === "pooling" || name === "dense") return name;
  return "other";
}
