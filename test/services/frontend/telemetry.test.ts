import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { trace } from "@opentelemetry/api";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import type { GoldenRequests } from "../../../lib/model/golden.js";
import { policyPlan, writePolicyModel } from "../../support/policy-model.js";
import { type ServedPlan, servePlan } from "../../support/served-plan.js";
import { tempFolder } from "../../support/temp-folder.js";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const PARENT_ID = "b7ad6b7169203331";

describe("what a query leaves behind", () => {
  const folder = tempFolder();
  const exporter = new InMemorySpanExporter();
  let served: ServedPlan;
  let golden: GoldenRequests;

  before(async () => {
    const model = await writePolicyModel(folder);
    golden = await model.readGolden();
    served = await servePlan(folder, `${folder}/policy-model`, policyPlan(model), {
      metricsAddress: "127.0.0.1:0",
    });
    trace.setGlobalTracerProvider(
      new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
    );
  });

  after(async () => {
    trace.disable();
    await served?.close();
  });

  it("is one trace, begun by the client, with a span for each stage", async () => {
    exporter.reset();

    await ask(`00-${TRACE_ID}-${PARENT_ID}-01`);

    const spans = exporter.getFinishedSpans();
    assert.deepEqual([...new Set(spans.map((span) => span.spanContext().traceId))], [TRACE_ID]);
    const query = only(spans, "inference.GRPCInferenceService/ModelInfer");
    assert.equal(query.parentSpanContext?.spanId, PARENT_ID);
    for (const name of ["queue", "dense wait", "dense"]) assertChild(only(spans, name), query);
    const lookups = spans.filter(({ name }) => name === "lookup");
    assert.deepEqual(lookups.map(({ attributes }) => attributes["shardpool.shard"]).toSorted(), [
      "shard-0",
      "shard-1",
    ]);
    for (const lookup of lookups) assertChild(lookup, query);
    const onShards = spans.filter(({ name }) => name === "shard lookup");
    assert.deepEqual(
      onShards.map((span) => span.parentSpanContext?.spanId).toSorted(),
      lookups.map((span) => span.spanContext().spanId).toSorted(),
    );
    for (const name of ["shard queue", "shard memory", "shard ssd", "shard pool"]) {
      assert.equal(spans.filter((span) => span.name === name).length, 2, name);
    }
  });

  it("ends its spans with the code when it is refused", async () => {
    exporter.reset();

    await assert.rejects(ask(`00-${TRACE_ID}-${PARENT_ID}-01`, "another"));

    const query = only(exporter.getFinishedSpans(), "inference.GRPCInferenceService/ModelInfer");
    assert.equal(query.status.message, "MODEL_NOT_FOUND");
  });

  it("counts queries by code, and times every stage and shard", async () => {
    const before = await scrape(served.frontend.metricsAddress!);

    await ask();
    await assert.rejects(ask(undefined, "another"));

    const after = await scrape(served.frontend.metricsAddress!);
    const grown = (line: string): number => (after.get(line) ?? 0) - (before.get(line) ?? 0);
    const own = "shardpool_frontend";
    assert.equal(grown(`${own}_queries_total{protocol="grpc",code="OK"}`), 1);
    assert.equal(grown(`${own}_queries_total{protocol="grpc",code="MODEL_NOT_FOUND"}`), 1);
    assert.equal(grown(`${own}_samples_total`), golden.sampleCount);
    assert.equal(grown(`${own}_batch_samples_count`), 1);
    for (const stage of ["queue", "network", "memory", "ssd", "pool", "dense"]) {
      assert.equal(grown(`${own}_stage_duration_seconds_count{stage="${stage}"}`), 1, stage);
    }
    for (const shard of ["shard-0", "shard-1"]) {
      assert.equal(grown(`${own}_shard_lookups_total{shard="${shard}",code="OK"}`), 1);
      assert.equal(grown(`${own}_shard_lookup_duration_seconds_count{shard="${shard}"}`), 1);
      assert.equal(after.get(`${own}_shard_connected{shard="${shard}"}`), 1);
    }
    assert.equal(after.get(`${own}_plan_epoch`), 1);
    assert.equal(after.get(`${own}_in_flight_samples`), 0);
    assert.ok(after.has(`${own}_event_loop_lag_seconds{quantile="0.99"}`));
    assert.ok(after.get("process_cpu_seconds_total")! > 0);
  });

  it("counts row reads and blocks on each shard", async () => {
    const addresses = served.shards.map(({ metricsAddress }) => metricsAddress!);
    const totals = async (): Promise<number> => {
      const scrapes = await Promise.all(addresses.map(scrape));
      const lines = scrapes.flatMap((lines) => [...lines]);
      return lines
        .filter(([line]) => /^shardpool_shard_rows_(hit|missed)_total/.test(line))
        .reduce((sum, [, value]) => sum + value, 0);
    };
    const before = await totals();

    await ask();

    assert.equal((await totals()) - before, golden.batch.values.length);
    const lines = await scrape(addresses[0]!);
    assert.ok(lines.get('shardpool_shard_lookups_total{code="OK"}')! > 0);
    assert.ok([...lines.keys()].some((line) => line.includes('cache_bytes_resident{table="a"')));
  });

  function ask(traceparent?: string, modelName = "test"): Promise<unknown> {
    return served.client.infer({
      modelName,
      dense: golden.denseFeatures,
      batch: golden.batch,
      ...(traceparent !== undefined && { metadata: { traceparent } }),
    });
  }
});

function only(spans: readonly ReadableSpan[], name: string): ReadableSpan {
  const found = spans.filter((span) => span.name === name);
  assert.equal(found.length, 1, `${found.length} spans named ${name}`);
  return found[0]!;
}

function assertChild(child: ReadableSpan, parent: ReadableSpan): void {
  assert.equal(child.parentSpanContext?.spanId, parent.spanContext().spanId, child.name);
}

/** Values by name and labels, as they stand on the page. */
async function scrape(address: string): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`http://${address}/metrics`);
  assert.equal(response.status, 200);
  const lines = (await response.text()).split("\n").filter((line) => /^[a-z]/.test(line));
  return new Map(
    lines.map((line) => {
      const split = line.lastIndexOf(" ");
      return [line.slice(0, split), Number(line.slice(split + 1))];
    }),
  );
}
