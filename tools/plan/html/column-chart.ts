import { line, rect, svg, text } from "./svg.js";

/** One piece of a column, from the bottom up. */
export interface ColumnPiece {
  readonly value: number;
  readonly className: string;
  readonly tooltip: string;
  /** Of its width, what is drawn full; the rest is faint. All of it unless told. */
  readonly fullShare?: number;
  /** Written into it where there is room. */
  readonly name?: string;
}

export interface ChartColumn {
  readonly name: string;
  readonly pieces: readonly ColumnPiece[];
}

export interface ColumnChart {
  readonly label: string;
  readonly columns: readonly ChartColumn[];
  /** A tick's value as text, unit included. */
  readonly format: (value: number) => string;
  readonly mark?: { readonly value: number; readonly name: string };
  /** Ticks at round numbers of this base: 1024 for bytes. */
  readonly base?: 10 | 1024;
}

const WIDTH = 960;
const HEIGHT = 300;
const LEFT = 84;
const RIGHT = 12;
const TOP = 22;
const BOTTOM = 26;
const COLUMN_WIDTH_MAX = 110;
const TICKS = 4;
const CHARACTER_WIDTH = 6.6;

/** Columns of stacked pieces over one axis, as SVG. */
export function drawColumns(chart: ColumnChart): string {
  const totals = chart.columns.map(({ pieces }) => pieces.reduce((sum, p) => sum + p.value, 0));
  const highest = Math.max(...totals, chart.mark?.value ?? 0, Number.MIN_VALUE);
  const step = roundStep(highest / TICKS, chart.base ?? 10);
  const top = Math.ceil((highest / step) * 1.0001) * step;
  const yOf = (value: number): number => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
  const slot = (WIDTH - LEFT - RIGHT) / chart.columns.length;
  const width = Math.min(COLUMN_WIDTH_MAX, slot * 0.82);
  const content: string[] = [];
  for (let value = 0; value <= top * 1.0001; value += step) {
    content.push(line(LEFT, yOf(value), WIDTH - RIGHT, yOf(value), "grid"));
    content.push(text(LEFT - 8, yOf(value) + 4, chart.format(value), { anchor: "end" }));
  }
  const namesEvery = Math.ceil((longestName(chart) * CHARACTER_WIDTH + 8) / slot);
  for (const [i, column] of chart.columns.entries()) {
    const x = LEFT + slot * i + (slot - width) / 2;
    content.push(...drawColumn(column, x, width, yOf));
    if (i % namesEvery > 0) continue;
    content.push(text(x + width / 2, HEIGHT - 8, column.name, { anchor: "middle" }));
  }
  if (chart.mark !== undefined) {
    const y = yOf(chart.mark.value);
    content.push(line(LEFT, y, WIDTH - RIGHT, y, "mark"));
    content.push(
      text(WIDTH - RIGHT, y - 5, chart.mark.name, { anchor: "end", className: "marked" }),
    );
  }
  return svg(WIDTH, HEIGHT, chart.label, content);
}

function drawColumn(
  { pieces }: ChartColumn,
  x: number,
  width: number,
  yOf: (value: number) => number,
): string[] {
  const drawn: string[] = [];
  let done = 0;
  for (const piece of pieces) {
    if (piece.value <= 0) continue;
    const y = yOf(done + piece.value);
    const height = yOf(done) - y;
    done += piece.value;
    const { className, tooltip, fullShare = 1, name } = piece;
    const box = { x, y, width, height };
    if (fullShare < 1)
      drawn.push(rect(box, { className: `${className} piece`, tooltip, opacity: 0.28 }));
    if (fullShare > 0) {
      drawn.push(
        rect({ ...box, width: width * fullShare }, { className: `${className} piece`, tooltip }),
      );
    }
    if (name !== undefined && height >= 14 && name.length * CHARACTER_WIDTH < width - 6) {
      drawn.push(
        text(x + width / 2, y + height / 2 + 4, name, {
          anchor: "middle",
          className: fullShare < 0.6 ? "onfaint" : "inside",
        }),
      );
    }
  }
  return drawn;
}

function longestName(chart: ColumnChart): number {
  return Math.max(...chart.columns.map(({ name }) => name.length));
}

/** The least of 1, 2 and 5 times a power of the base's steps that is not below `wanted`. */
function roundStep(wanted: number, base: 10 | 1024): number {
  const unit = base === 10 ? 1 : 1024 ** Math.floor(Math.log(Math.max(1, wanted)) / Math.log(1024));
  const inUnits = wanted / unit;
  const power = 10 ** Math.floor(Math.log10(inUnits));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= inUnits) ?? 10;
  return factor * power * unit;
}
