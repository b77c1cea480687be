import {
  type Attributes,
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { ErrorCode } from "../../lib/errors.js";
import { formatTraceparent, parseTraceparent } from "../../lib/trace-context.js";
import type { ShardTimings } from "./shard-wire.js";

export interface QueryTraceStart {
  readonly name: string;
  /** As the client sent it. */
  readonly traceparent: string | undefined;
  /** On the frontend's clock, which is `performance.now()`. */
  readonly startedAt: number;
}

/**
 * The spans of one query: itself, and below it each stage. Without a provider of OpenTelemetry they
 * cost an object each and go nowhere, while the client's trace context still reaches the shards.
 */
export class QueryTrace {
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #context: Context;

  constructor({ name, traceparent, startedAt }: QueryTraceStart) {
    const remote = parseTraceparent(traceparent);
    const parent = remote ? trace.setSpanContext(ROOT_CONTEXT, remote) : ROOT_CONTEXT;
    // Asked for each time: a provider may be registered after this module was loaded.
    this.#tracer = trace.getTracer("shardpool.frontend");
    this.#span = this.#tracer.startSpan(
      name,
      { kind: SpanKind.SERVER, startTime: startedAt },
      parent,
    );
    this.#context = trace.setSpan(parent, this.#span);
  }

  /** 32 hexadecimal digits, or "" outside any trace. */
  get traceId(): string {
    return formatTraceparent(this.#span.spanContext()) && this.#span.spanContext().traceId;
  }

  /** What the query's lookups are told when no span of their own is made. */
  get traceparent(): string {
    return formatTraceparent(this.#span.spanContext());
  }

  /** A stage that is over. */
  recordStage(name: string, startedAt: number, endedAt: number, attributes: Attributes = {}): void {
    if (!this.#span.isRecording()) return;
    this.#tracer.startSpan(name, { startTime: startedAt, attributes }, this.#context).end(endedAt);
  }

  /** Somebody keeps what is recorded under this trace. */
  get isSampled(): boolean {
    return (this.#span.spanContext().traceFlags & TraceFlags.SAMPLED) !== 0;
  }

  /**
   * A lookup that begins; `undefined` when nobody records spans.
   *
   * @param carrier The span that the shard is told of, where this lookup serves other queries too: a link
   * leads to it, for what the shard does is recorded below that one.
   */
  startLookup(shardId: string, startedAt: number, carrier?: LookupSpan): LookupSpan | undefined {
    if (!this.#span.isRecording()) return undefined;
    const options = {
      kind: SpanKind.CLIENT,
      startTime: startedAt,
      attributes: { "shardpool.shard": shardId },
      ...(carrier && { links: [carrier.link] }),
    };
    return new LookupSpan(this.#tracer.startSpan("lookup", options, this.#context));
  }

  end(endedAt: number, code: ErrorCode | "INTERNAL" | "OK", attributes: Attributes): void {
    if (this.#span.isRecording())
      this.#span.setAttributes({ ...attributes, "shardpool.code": code });
    if (code !== "OK") this.#span.setStatus({ code: SpanStatusCode.ERROR, message: code });
    this.#span.end(endedAt);
  }
}

/** The span of one message to one shard. */
export class LookupSpan {
  readonly #span: Span;

  constructor(span: Span) {
    this.#span = span;
  }

  get traceparent(): string {
    return formatTraceparent(this.#span.spanContext());
  }

  get link(): Link {
    return { context: this.#span.spanContext() };
  }

  /** Leads to the other queries' spans of the same message. */
  addLinks(others: readonly LookupSpan[]): void {
    this.#span.addLinks(others.map(({ link }) => link));
  }

  end(endedAt: number, code: string, timings: ShardTimings | null): void {
    if (timings) {
      this.#span.setAttributes({
        "shardpool.queue_us": timings.queueUs,
        "shardpool.memory_us": timings.memoryUs,
        "shardpool.ssd_us": timings.ssdUs,
        "shardpool.pool_us": timings.poolUs,
      });
    }
    if (code !== "OK") this.#span.setStatus({ code: SpanStatusCode.ERROR, message: code });
    this.#span.end(endedAt);
  }
}
