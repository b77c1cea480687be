import type { TableReport } from "../../../services/planner/plan-report.js";
import { rect, svg, text } from "./svg.js";
import { layTreemap } from "./treemap.js";

export interface TableTreemap {
  readonly label: string;
  readonly tables: readonly TableReport[];
  readonly sizeOf: (table: TableReport) => number;
  /** 0 to 1: how full the colour is. */
  readonly shadeOf: (table: TableReport) => number;
  readonly tooltipOf: (table: TableReport) => string;
  /** The value as text, unit included. */
  readonly format: (value: number) => string;
  readonly className: string;
}

const WIDTH = 960;
const HEIGHT = 340;
const CHARACTER_WIDTH = 6.8;

/** Every table as a rectangle as large as its value, as SVG. */
export function drawTables(map: TableTreemap): string {
  const area = { x: 0, y: 0, width: WIDTH, height: HEIGHT };
  const content = layTreemap(map.tables, map.sizeOf, area).flatMap((placed) => {
    const { item, x, y, width, height } = placed;
    const opacity = 0.15 + 0.85 * map.shadeOf(item);
    const className = `${map.className} tile`;
    const drawn = [rect(placed, { className, opacity, tooltip: map.tooltipOf(item) })];
    if (height < 18 || item.table.length * CHARACTER_WIDTH > width - 10) return drawn;
    drawn.push(
      text(x + 6, y + 15, item.table, { className: opacity > 0.55 ? "inside" : "onfaint" }),
    );
    const value = map.format(map.sizeOf(item));
    if (height >= 34 && value.length * CHARACTER_WIDTH < width - 10) {
      drawn.push(text(x + 6, y + 30, value, { className: opacity > 0.55 ? "inside" : "onfaint" }));
    }
    return drawn;
  });
  return svg(WIDTH, HEIGHT, map.label, content);
}
