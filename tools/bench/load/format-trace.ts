import { formatMs } from "./format-numbers.js";
import type { QueryTrace } from "./query-trace.js";
import { traceBars } from "./trace-bars.js";

const BAR_WIDTH = 48;
const NAME_WIDTH = 26;

/** A traced query's waterfall as text; bars too short to see are a thin line. */
export function formatTrace(trace: QueryTrace): string {
  const bars = traceBars(trace).filter(({ ms, level }) => level === 1 || ms > 0);
  const endMs = Math.max(trace.latencyMs, ...bars.map(({ startMs, ms }) => startMs + ms));
  const lines = bars.map(({ name, startMs, ms, level }) => {
    const start = Math.min(BAR_WIDTH - 1, Math.floor((startMs / endMs) * BAR_WIDTH));
    const width = Math.round((ms / endMs) * BAR_WIDTH);
    const bar = width === 0 ? "▏" : (level === 1 ? "█" : "▓").repeat(width);
    const label = `${level === 1 ? "" : "  "}${name}`.padEnd(NAME_WIDTH);
    return `  ${label}${formatMs(ms).padStart(9)}  ${" ".repeat(start)}${bar}`;
  });
  const head = `query ${trace.index} at ${trace.atSeconds.toFixed(3)} s: ${formatMs(trace.latencyMs)} ms`;
  return [head, ...lines].join("\n");
}
