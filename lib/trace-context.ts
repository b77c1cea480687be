import { isSpanContextValid, type SpanContext } from "@opentelemetry/api";

/** version, trace id, parent id, flags; a later version may have more after them. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/**
 * Reads a `traceparent` header. One that is not well formed is as good as none, as the specification
 * asks: a trace is never a reason to refuse a query.
 *
 * @see https://www.w3.org/TR/trace-context/
 */
export function parseTraceparent(text: string | undefined): SpanContext | undefined {
  const match = TRACEPARENT.exec(text ?? "");
  if (!match) return undefined;
  const [, version, traceId = "", spanId = "", flags = "", rest] = match;
  if (version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  const context = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(context) ? context : undefined;
}

/** The header for what a span asks of others; "" without a trace. */
export function formatTraceparent(context: SpanContext): string {
  if (!isSpanContextValid(context)) return "";
  const flags = (context.traceFlags & 0xff).toString(16).padStart(2, "0");
  return `00-${context.traceId}-${context.spanId}-${flags}`;
}
