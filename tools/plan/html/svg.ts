/** Text as it may stand in HTML and SVG, attributes included. */
export function escapeXml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

export interface RectOptions {
  readonly className: string;
  /** Shown by a browser while the pointer rests on it. */
  readonly tooltip?: string;
  /** 0 to 1. */
  readonly opacity?: number;
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export function rect(box: Box, { className, tooltip, opacity }: RectOptions): string {
  const title = tooltip === undefined ? "" : `<title>${escapeXml(tooltip)}</title>`;
  const alpha = opacity === undefined ? "" : ` fill-opacity="${opacity.toFixed(2)}"`;
  return (
    `<rect class="${className}" x="${px(box.x)}" y="${px(box.y)}" width="${px(box.width)}" ` +
    `height="${px(box.height)}"${alpha}>${title}</rect>`
  );
}

export interface TextOptions {
  readonly className?: string;
  readonly anchor?: "start" | "middle" | "end";
}

export function text(x: number, y: number, words: string, options: TextOptions = {}): string {
  const { className = "label", anchor = "start" } = options;
  return `<text class="${className}" x="${px(x)}" y="${px(y)}" text-anchor="${anchor}">${escapeXml(words)}</text>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, className: string): string {
  return `<line class="${className}" x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}"/>`;
}

/** @param label What it shows, for a reader who cannot see it. */
export function svg(
  width: number,
  height: number,
  label: string,
  content: readonly string[],
): string {
  return (
    `<svg viewBox="0 0 ${width} ${px(height)}" role="img" aria-label="${escapeXml(label)}" ` +
    `xmlns="http://www.w3.org/2000/svg">\n${content.join("\n")}\n</svg>`
  );
}

/** A tenth of a pixel is as fine as anybody sees. */
function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}
