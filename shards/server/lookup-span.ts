import { ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { parseTraceparent } from "../../lib/trace-context.js";
import type { LookupTimings } from "../engine/lookup-request.js";

/**
 * A lookup in the frontend's trace, and below it the stages. Without a provider of OpenTelemetry it
 * goes nowhere.
 */
export class LookupSpan {
  readonly #span: Span | undefined;
  readonly #startedAtMs: number;

  /** @param startedAtMs On the shard's clock, which is `performance.now()`. */
  constructor(traceparent: string, startedAtMs: number) {
    this.#startedAtMs = startedAtMs;
    const remote = parseTraceparent(traceparent);
    // A lookup outside any trace begins none: the frontend decides what is sampled.
    if (!remote) return;
    this.#span = tracer().startSpan(
      "shard lookup",
      { kind: SpanKind.SERVER, startTime: startedAtMs },
      trace.setSpanContext(ROOT_CONTEXT, remote),
    );
  }

  endWell(endedAtMs: number, timings: LookupTimings | undefined): void {
    if (this.#span?.isRecording() && timings) this.#recordStages(this.#span, timings);
    this.#span?.end(endedAtMs);
  }

  endBadly(endedAtMs: number, code: string): void {
    this.#span?.setStatus({ code: SpanStatusCode.ERROR, message: code });
    this.#span?.end(endedAtMs);
  }

  /** The stages may take turns; each is shown once, with all of its time, in the usual order. */
  #recordStages(span: Span, { queueUs, memoryUs, ssdUs, poolUs }: LookupTimings): void {
    const context = trace.setSpan(ROOT_CONTEXT, span);
    let startTime = this.#startedAtMs;
    const stages = { queue: queueUs, memory: memoryUs, ssd: ssdUs, pool: poolUs };
    for (const [name, us] of Object.entries(stages)) {
      const endTime = startTime + us / 1000;
      tracer().startSpan(`shard ${name}`, { startTime }, context).end(endTime);
      startTime = endTime;
    }
  }
}

/** Asked for each time: a provider may be registered after this module was loaded. */
function tracer() {
  return trace.getTracer("shardpool.shard");
}
