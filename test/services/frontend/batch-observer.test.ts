import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { trace } from "@opentelemetry/api";
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  ParentBasedSampler,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { parseTraceparent } from "../../../lib/trace-context.js";
import { BatchObserver } from "../../../services/frontend/batch-observer.js";
import { FrontendMetrics } from "../../../services/frontend/frontend-metrics.js";
import { ModelStatistics } from "../../../services/frontend/model-statistics.js";
import type { Query } from "../../../services/frontend/query.js";
import { QueryTrace } from "../../../services/frontend/query-trace.js";

const SAMPLED = ["a", "b", "c"].map((digit) => `00-${digit.repeat(32)}-${"1".repeat(16)}-01`);
const UNSAMPLED = `00-${"d".repeat(32)}-${"1".repeat(16)}-00`;

describe("the lookups of a batch of several queries", () => {
  const exporter = new InMemorySpanExporter();

  before(() => {
    trace.setGlobalTracerProvider(
      new BasicTracerProvider({
        sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
        spanProcessors: [new SimpleSpanProcessor(exporter)],
      }),
    );
  });

  beforeEach(() => exporter.reset());

  const lookupSpans = (): ReadableSpan[] =>
    exporter.getFinishedSpans().filter(({ name }) => name === "lookup");

  after(() => trace.disable());

  it("have a span in each query's trace, linked to the one that the shard is told of and back", () => {
    const told = lookUp(SAMPLED);

    const spans = lookupSpans();
    assert.deepEqual(spans.map(traceIdOf).toSorted(), SAMPLED.map(traceIdOfHeader));
    const carrier = spans.find((span) => span.spanContext().spanId === told.spanId)!;
    const others = spans.filter((span) => span !== carrier);
    assert.equal(traceIdOf(carrier), traceIdOfHeader(SAMPLED[0]!));
    assert.deepEqual(linksOf(carrier), others.map((span) => span.spanContext().spanId).toSorted());
    for (const other of others) assert.deepEqual(linksOf(other), [told.spanId]);
  });

  it("tell the shard of a trace that somebody keeps", () => {
    const told = lookUp([UNSAMPLED, SAMPLED[1]!]);

    assert.equal(told.traceId, traceIdOfHeader(SAMPLED[1]!));
    const spans = lookupSpans();
    assert.deepEqual(spans.map(traceIdOf), [traceIdOfHeader(SAMPLED[1]!)]);
    assert.deepEqual(linksOf(spans[0]!), []);
  });

  it("hand on a trace that nobody here records", () => {
    assert.equal(lookUp([UNSAMPLED]).traceId, traceIdOfHeader(UNSAMPLED));
    assert.deepEqual(lookupSpans(), []);
  });
});

/** Sends one message for a batch of queries with these headers; gives what the shard is told. */
function lookUp(headers: readonly string[]): { traceId: string; spanId: string } {
  const clock = { nowMs: () => 5, wallMs: () => 5 };
  const queries = headers.map(
    (traceparent) =>
      ({
        trace: new QueryTrace({ name: "query", traceparent, startedAt: 1 }),
        arrivedAt: 1,
      }) as Query,
  );
  const observer = BatchObserver.start({
    ...{ metrics: new FrontendMetrics(1), statistics: new ModelStatistics(), clock },
    ...{ sampleCount: headers.length, queries },
  });
  const { traceparent, end } = observer.startLookup("shard-0");
  end("OK", null);
  return parseTraceparent(traceparent)!;
}

function traceIdOf(span: ReadableSpan): string {
  return span.spanContext().traceId;
}

function traceIdOfHeader(traceparent: string): string {
  return parseTraceparent(traceparent)!.traceId;
}

function linksOf({ links }: ReadableSpan): string[] {
  return links.map(({ context }) => context.spanId).toSorted();
}
