import { escapeHtml } from "./chart.js";

const STYLE = `
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #f6f7f9; color: #1d2126;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1010px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 36px 0 8px; }
.sub { color: #565d66; margin: 0 0 16px; overflow-wrap: anywhere; }
.banner { background: #fff3e0; border-left: 4px solid #d55e00; padding: 8px 12px; margin: 12px 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(126px, 1fr)); gap: 10px; margin: 16px 0; }
.tile { background: #fff; border: 1px solid #e3e6ea; border-radius: 8px; padding: 10px 12px; }
.tile b { display: block; font-size: 22px; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tile span { color: #565d66; font-size: 13px; }
figure, .card { background: #fff; border: 1px solid #e3e6ea; border-radius: 8px; margin: 12px 0; padding: 12px; }
figcaption { color: #565d66; margin-bottom: 6px; }
figcaption b { color: #1d2126; }
figure svg { display: block; max-width: 100%; height: auto; }
.narrow { display: none; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { text-align: right; padding: 4px 8px; border-bottom: 1px solid #eceef1; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td.text, th.text { text-align: left; white-space: normal; }
th { color: #565d66; font-weight: 600; }
.ok { color: #00734f; } .bad { color: #b34700; font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 0; }
dt { color: #565d66; } dd { margin: 0; overflow-wrap: anywhere; }
footer { color: #565d66; font-size: 13px; margin-top: 32px; }
@media (max-width: 720px) {
  .wide { display: none; } .narrow { display: block; }
  h1 { font-size: 20px; } main { padding: 16px 10px 48px; }
  dl { grid-template-columns: 1fr; } dt { margin-top: 6px; }
}
@media print { body { background: #fff; } figure { break-inside: avoid; } }
`;

/** A whole HTML page with nothing outside it: no script, no font, no network. */
export function htmlPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body><main>
${body}
</main></body>
</html>
`;
}

export interface HtmlColumn {
  readonly title: string;
  /** Words, which stand left; numbers stand right. */
  readonly isText?: boolean;
}

/** A table that scrolls by itself where the window is narrow. Cells are escaped. */
export function htmlTable(
  columns: readonly HtmlColumn[],
  rows: readonly (readonly string[])[],
): string {
  const cell = (tag: "th" | "td", text: string, column: HtmlColumn | undefined): string =>
    `<${tag}${column?.isText ? ' class="text"' : ""}>${escapeHtml(text)}</${tag}>`;
  const head = columns.map((column) => cell("th", column.title, column)).join("");
  const body = rows.map(
    (row) => `<tr>${row.map((text, i) => cell("td", text, columns[i])).join("")}</tr>`,
  );
  return `<div class="card scroll"><table><thead><tr>${head}</tr></thead><tbody>${body.join("\n")}</tbody></table></div>`;
}

export function htmlTiles(tiles: readonly (readonly [value: string, what: string])[]): string {
  const items = tiles.map(
    ([value, what]) =>
      `<div class="tile"><b>${escapeHtml(value)}</b><span>${escapeHtml(what)}</span></div>`,
  );
  return `<div class="tiles">${items.join("")}</div>`;
}

export function htmlFacts(facts: readonly (readonly [name: string, value: string])[]): string {
  const items = facts.map(
    ([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`,
  );
  return `<div class="card"><dl>${items.join("")}</dl></div>`;
}
