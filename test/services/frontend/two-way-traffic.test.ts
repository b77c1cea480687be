import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { GREEDY_PHASE, type GreedyClientWork } from "../../support/greedy-client-thread.js";
import { encodeMessage, rawBytes } from "../../support/infer-message.js";
import { policyPlan, writePolicyModel } from "../../support/policy-model.js";
import { type ServedPlan, servePlan } from "../../support/served-plan.js";
import { tempFolder } from "../../support/temp-folder.js";
import { waitFor } from "../../support/wait-for.js";

/** A query and its answer are some 180 KB each: one fills a unix socket nearly, a few of them do. */
const SAMPLES = 4096;
const QUERIES = 6;

describe("a client that sends much and asks for much", () => {
  const folder = tempFolder();

  it("is answered, although neither end of Node reads while it waits to write", async () => {
    const model = await writePolicyModel(folder);
    const served = await servePlan(folder, `${folder}/policy-model`, policyPlan(model), {
      grpcAddress: `unix:${join(folder, "f.sock")}`,
      metricsAddress: "127.0.0.1:0",
      ...{ queueSampleCountMax: 2 * QUERIES * SAMPLES, queueAgeMsMax: 60_000 },
    });
    const phase = new SharedArrayBuffer(4);
    const work: GreedyClientWork = {
      ...{ address: served.frontend.address, query: encodeQuery(), queryCount: QUERIES, phase },
    };
    const client = new Worker(new URL("../../support/greedy-client-thread.js", import.meta.url), {
      workerData: work,
    });
    const answers: (string | null)[] = [];
    client.on("message", (error: string | null) => answers.push(error));
    try {
      // Its answers fill the socket while it is deaf, so that the frontend waits to write and reads nothing.
      const begun = async (): Promise<number> =>
        (await answeredCount(served)) + (await inFlightSamples(served)) / SAMPLES;
      await waitFor("the first queries", async () => (await begun()) >= QUERIES);
      enter(phase, GREEDY_PHASE.DEAF);
      await waitFor("their answers", async () => (await answeredCount(served)) === QUERIES);
      enter(phase, GREEDY_PHASE.SENDING_MORE);

      await waitFor("every answer", () => answers.length === 2 * QUERIES);
      assert.deepEqual(answers, new Array<null>(2 * QUERIES).fill(null));
    } finally {
      await client.terminate();
      await served.close();
    }
  });
});

function enter(phase: SharedArrayBuffer, next: number): void {
  const state = new Int32Array(phase);
  Atomics.store(state, 0, next);
  Atomics.notify(state, 0);
}

function answeredCount(served: ServedPlan): Promise<number> {
  return metric(served, 'queries_total{protocol="grpc",code="OK"}');
}

function inFlightSamples(served: ServedPlan): Promise<number> {
  return metric(served, "in_flight_samples");
}

async function metric({ frontend }: ServedPlan, name: string): Promise<number> {
  const text = await (await fetch(`http://${frontend.metricsAddress}/metrics`)).text();
  const line = text.split("\n").find((one) => one.startsWith(`shardpool_frontend_${name} `));
  return Number(line?.split(" ")[1] ?? 0);
}

function encodeQuery(): Uint8Array {
  return encodeMessage({
    modelName: "test",
    inputs: [
      { name: "dense", datatype: "FP32", shape: [SAMPLES, 2] },
      { name: "ids", datatype: "INT64", shape: [SAMPLES, 3] },
    ],
    outputs: [{ name: "pooled" }],
    rawInputContents: [
      rawBytes("FP32", new Array<number>(2 * SAMPLES).fill(0.5)),
      rawBytes("INT64", new Array<number>(3 * SAMPLES).fill(1)),
    ],
  });
}
