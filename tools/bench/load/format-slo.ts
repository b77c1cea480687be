import { formatMs, formatPercent } from "./format-numbers.js";
import type { LatencyResult } from "./latency-result.js";
import type { SloVerdict } from "./slo.js";

/** One line: the rule, whether it was met, and by what. */
export function formatVerdict(
  { rule, value, met }: SloVerdict,
  { errorsByCode }: Pick<LatencyResult, "errorsByCode">,
): string {
  const isRatio = /^(errors|degraded)/.test(rule);
  const shown =
    value === null ? "nothing measured" : isRatio ? formatPercent(value) : `${formatMs(value)} ms`;
  const failed = Object.keys(errorsByCode).length > 0 && !isRatio ? ", of the answered" : "";
  return `${met ? "✓" : "✗"} ${rule}: ${shown}${failed}`;
}
