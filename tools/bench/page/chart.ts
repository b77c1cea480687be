import { createRequire } from "node:module";

/**
 * What is used of echarts. Its own declarations need the browser's, which would let every file of
 * this project name a `window` that is not there.
 */
interface ServerSideCharts {
  init(
    dom: null,
    theme: null,
    options: {
      readonly renderer: "svg";
      readonly ssr: true;
      readonly width: number;
      readonly height: number;
    },
  ): {
    setOption(option: ChartOption): void;
    renderToSVGString(): string;
    dispose(): void;
  };
}

/** An echarts option object, https://echarts.apache.org/en/option.html. */
export type ChartOption = Readonly<Record<string, unknown>>;

const echarts = createRequire(import.meta.url)("echarts") as ServerSideCharts;

/** One size for a wide window and one for a narrow one; the page shows the one that fits. */
export const CHART_WIDTHS = { wide: 960, narrow: 360 } as const;
export type ChartWidth = keyof typeof CHART_WIDTHS;

/** Told apart in print and by colour-blind eyes (Okabe and Ito, 2008). */
export const COLORS = {
  blue: "#0072b2",
  orange: "#d55e00",
  green: "#009e73",
  purple: "#a0558a",
  amber: "#b8860b",
  sky: "#56b4e9",
  grey: "#9a9a9a",
  light: "#bcc5cf",
} as const;

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

export interface Chart {
  readonly title: string;
  /** One sentence on how to read it. */
  readonly note: string;
  readonly height: number;
  /** For each width, because labels need room that bars do not. */
  readonly option: (width: ChartWidth) => ChartOption;
}

/** The chart as a figure with an SVG for each width. The SVG needs no script and no network. */
export function renderChart(chart: Chart): string {
  const svgs = (Object.keys(CHART_WIDTHS) as ChartWidth[]).map(
    (width) => `<div class="${width}">${renderSvg(chart, width)}</div>`,
  );
  return `<figure><figcaption><b>${escapeHtml(chart.title)}</b> ${escapeHtml(chart.note)}</figcaption>${svgs.join("")}</figure>`;
}

function renderSvg({ height, option }: Chart, width: ChartWidth): string {
  const drawn = echarts.init(null, null, {
    renderer: "svg",
    ssr: true,
    width: CHART_WIDTHS[width],
    height,
  });
  try {
    drawn.setOption({ animation: false, textStyle: { fontFamily: FONT }, ...option(width) });
    return drawn.renderToSVGString();
  } finally {
    drawn.dispose();
  }
}

/** Axis and legend settings that every chart shares. */
export const GRID = { left: 8, right: 20, top: 58, bottom: 36, containLabel: true } as const;
export const LEGEND = {
  top: 4,
  left: 8,
  itemGap: 24,
  itemWidth: 14,
  itemHeight: 8,
  icon: "roundRect",
} as const;

export function axisName(name: string) {
  return { name, nameLocation: "middle", nameGap: 28, nameTextStyle: { color: "#555" } } as const;
}

/** A horizontal axis of values; a narrow chart has room for few numbers. */
export function valueAxisAcross(name: string, width: ChartWidth) {
  return {
    type: "value",
    ...axisName(name),
    splitNumber: width === "wide" ? 6 : 3,
    axisLabel: { hideOverlap: true },
    splitLine: { lineStyle: { color: "#ececec" } },
  } as const;
}

/** A value axis named above its end, where a long name is not clipped. */
export function valueAxis(name: string) {
  return {
    type: "value",
    name,
    nameLocation: "end",
    nameTextStyle: { color: "#555", align: "left" },
    splitLine: { lineStyle: { color: "#ececec" } },
  } as const;
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
