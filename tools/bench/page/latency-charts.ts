import { describeOverlap } from "../load/format-latency-report.js";
import { formatMs } from "../load/format-numbers.js";
import { LatencyHistogram } from "../load/latency-histogram.js";
import type { LatencyResult } from "../load/latency-result.js";
import { overlapOf, STAGES } from "../load/stages.js";
import { axisName, type Chart, COLORS, GRID, LEGEND, valueAxis, valueAxisAcross } from "./chart.js";

const MiB = 1024 ** 2;
/** Points of a percentile curve: 60 for each factor of ten. */
const POINTS_PER_DECADE = 60;

/** Latency at every percentile; the axis gives each further nine the same room. */
export function percentileChart(result: LatencyResult): Chart {
  const latency = LatencyHistogram.decode(result.latencyHistogram);
  const service = LatencyHistogram.decode(result.serviceHistogram);
  const decades = Math.max(1, Math.ceil(Math.log10(Math.max(10, latency.count))));
  return {
    title: "Latency distribution.",
    note: "Read up from a percentile: that share of the queries took no longer. Latency counts from the intended send time, service time from the real one; a gap between them is queueing that a closed loop would hide.",
    height: 340,
    option: () => ({
      legend: LEGEND,
      grid: GRID,
      xAxis: {
        type: "log",
        min: 1,
        max: 10 ** decades,
        ...axisName("percentile of queries"),
        axisLabel: { formatter: (x: number) => percentileLabel(x) },
        splitLine: { lineStyle: { color: "#ececec" } },
      },
      yAxis: { ...valueAxis("ms"), min: 0 },
      series: [
        curve("latency", latency, COLORS.blue, decades),
        curve("service time", service, COLORS.orange, decades, "dashed"),
      ],
    }),
  };
}

function curve(
  name: string,
  histogram: LatencyHistogram,
  color: string,
  decades: number,
  type: "solid" | "dashed" = "solid",
) {
  const points: [number, number][] = [];
  for (let i = 0; i <= decades * POINTS_PER_DECADE; i++) {
    const x = 10 ** (i / POINTS_PER_DECADE);
    // Above one in all of them there is nothing to tell but the maximum.
    if (x > histogram.count) break;
    points.push([x, histogram.percentileMs(100 * (1 - 1 / x))]);
  }
  points.push([Math.max(1, histogram.count), histogram.maxMs]);
  const line = { color, width: 2, type };
  return {
    name,
    type: "line",
    data: points,
    showSymbol: false,
    lineStyle: line,
    itemStyle: { color },
  } as const;
}

/** 1, 10, 100, 1000 on the axis are 0, 90, 99 and 99.9 %. */
function percentileLabel(x: number): string {
  const nines = Math.round(Math.log10(x));
  return nines === 0 ? "min" : `p${(100 * (1 - 10 ** -nines)).toFixed(Math.max(0, nines - 2))}`;
}

export function overTimeChart({ overTime }: LatencyResult): Chart {
  const seconds = overTime.map((_, second) => second);
  const line = (name: string, color: string, value: (i: number) => number | null) => ({
    name,
    type: "line" as const,
    data: seconds.map(value),
    showSymbol: seconds.length < 40,
    symbolSize: 5,
    lineStyle: { color, width: 2 },
    itemStyle: { color },
  });
  return {
    title: "Latency over time.",
    note: "Of the queries that were due in each second.",
    height: 280,
    option: () => ({
      legend: LEGEND,
      grid: GRID,
      xAxis: secondsAxis(seconds),
      yAxis: { ...valueAxis("ms"), min: 0 },
      series: [
        line("p50", COLORS.blue, (i) => overTime[i]!.latencyMs?.p50 ?? null),
        line("p99", COLORS.orange, (i) => overTime[i]!.latencyMs?.p99 ?? null),
        line("max", COLORS.grey, (i) => overTime[i]!.latencyMs?.max ?? null),
      ],
    }),
  };
}

export function rateChart({ overTime, scenario }: LatencyResult): Chart {
  const seconds = overTime.map((_, second) => second);
  const bar = (name: string, color: string, data: readonly number[]) => ({
    name,
    type: "bar" as const,
    data: [...data],
    itemStyle: { color },
    barGap: "0%",
    barMaxWidth: 18,
  });
  const sent = scenario === "server" ? "offered" : "sent";
  return {
    title: scenario === "server" ? "Achieved against offered rate." : "Queries sent and answered.",
    note: "Queries due in each second beside the answers that came in it. Seconds after the last offer drain what was late.",
    height: 260,
    option: () => ({
      legend: LEGEND,
      grid: GRID,
      xAxis: secondsAxis(seconds),
      yAxis: { ...valueAxis("queries a second"), min: 0, minInterval: 1 },
      series: [
        bar(
          sent,
          COLORS.light,
          overTime.map((second) => second.dueCount),
        ),
        bar(
          "answered",
          COLORS.green,
          overTime.map((second) => second.answeredCount),
        ),
        bar(
          "failed",
          COLORS.orange,
          overTime.map((second) => second.failedCount),
        ),
      ],
    }),
  };
}

function secondsAxis(seconds: readonly number[]) {
  return {
    type: "category",
    data: seconds.map(String),
    ...axisName("seconds into the measured time"),
  } as const;
}

/**
 * Mean times add up, so each stage's bar begins where the one above it ends; those that overlap all
 * begin at 0.
 */
export function stageChart({ stagesMs, latencyMs }: LatencyResult): Chart | undefined {
  if (stagesMs === null || latencyMs === null) return undefined;
  const overlapMs = overlapOf(stagesMs, latencyMs.mean);
  const starts: number[] = [];
  let at = 0;
  for (const { name } of STAGES) {
    starts.push(at);
    if (overlapMs === undefined) at += stagesMs[name].mean;
  }
  const names = STAGES.map(({ name }) => name);
  return {
    title: "Where a mean query's time goes.",
    note:
      overlapMs === undefined
        ? "Stages in their order; together they are the mean latency."
        : `NOTE: ${describeOverlap(latencyMs.mean, overlapMs)}.`,
    height: 60 + 30 * names.length,
    option: (width) => ({
      grid: { ...GRID, top: 12, right: width === "wide" ? 80 : 62 },
      xAxis: valueAxisAcross("ms", width),
      yAxis: { type: "category", data: names, inverse: true, axisTick: { show: false } },
      series: [
        {
          type: "bar",
          stack: "time",
          data: starts,
          itemStyle: { color: "transparent" },
          silent: true,
        },
        {
          type: "bar",
          stack: "time",
          data: names.map((name) => stagesMs[name].mean),
          itemStyle: { color: COLORS.blue },
          barMaxWidth: 18,
          label: {
            show: true,
            position: "right",
            formatter: ({ value }: { readonly value: number }) => `${formatMs(value)} ms`,
          },
        },
      ],
    }),
  };
}

export function processCharts(result: LatencyResult): Chart[] {
  const names = Object.keys(result.cpuSecondsByProcess);
  if (names.length === 0) return [];
  const queryCount = Math.max(1, result.answeredCount);
  return [
    barsByName(
      "CPU time a query, by process.",
      "User and system time of the measured time over queries answered.",
      {
        names,
        values: names.map((name) => (result.cpuSecondsByProcess[name]! * 1000) / queryCount),
        unit: "ms",
        color: COLORS.purple,
      },
    ),
    barsByName("Peak memory by process.", "The most each process held resident since it started.", {
      names,
      values: names.map((name) => (result.memoryPeakBytesByProcess[name] ?? 0) / MiB),
      unit: "MiB",
      color: COLORS.green,
    }),
  ];
}

export interface NamedBars {
  readonly names: readonly string[];
  readonly values: readonly number[];
  readonly unit: string;
  readonly color: string;
}

export function barsByName(
  title: string,
  note: string,
  { names, values, unit, color }: NamedBars,
): Chart {
  return {
    title,
    note,
    height: 60 + 26 * names.length,
    option: (width) => ({
      grid: { ...GRID, top: 12, right: width === "wide" ? 90 : 72 },
      xAxis: valueAxisAcross(unit, width),
      yAxis: { type: "category", data: [...names], inverse: true, axisTick: { show: false } },
      series: [
        {
          type: "bar",
          data: [...values],
          itemStyle: { color },
          barMaxWidth: 16,
          label: {
            show: true,
            position: "right",
            formatter: ({ value }: { readonly value: number }) => `${shortNumber(value)} ${unit}`,
          },
        },
      ],
    }),
  };
}

function shortNumber(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(2);
}
