import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { after, before, describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import { encodeMessage, type InferMessage, rawBytes } from "../../support/infer-message.js";
import { policyPlan, writePolicyModel } from "../../support/policy-model.js";
import { type ServedPlan, servePlan } from "../../support/served-plan.js";
import { tempFolder } from "../../support/temp-folder.js";
import { waitFor } from "../../support/wait-for.js";

const QUEUE_SAMPLES = 600;

describe("queries that are still arriving", () => {
  const folder = tempFolder();
  let served: ServedPlan;
  let session: ClientHttp2Session;

  before(async () => {
    const model = await writePolicyModel(folder);
    served = await servePlan(folder, `${folder}/policy-model`, policyPlan(model), {
      ...{ querySampleCountMax: QUEUE_SAMPLES, queueSampleCountMax: QUEUE_SAMPLES },
      metricsAddress: "127.0.0.1:0",
    });
    session = connect(`http://${served.frontend.address}`);
  });

  after(async () => {
    session?.destroy();
    await served?.close();
  });

  it("are refused by their first bytes when they fit no more, and counted", async () => {
    const slow = open(400);
    const refused = open(300);
    const [headers] = (await once(refused, "response")) as [Record<string, string>];

    assert.equal(Number(headers["grpc-status"]), status.UNAVAILABLE);
    assert.equal(headers["shardpool-code"], "SERVER_OVERLOADED");
    assert.match(decodeURI(headers["grpc-message"]!), /400 samples are waiting, 300 more/);
    const metrics = await (await fetch(`http://${served.frontend.metricsAddress}/metrics`)).text();
    assert.match(metrics, /queries_total\{protocol="grpc",code="SERVER_OVERLOADED"\} 1\n/);

    slow.close(8);
    await waitFor("room for the next", async () => (await ask(300)) === 0);
  });

  it("give their place back when they are there", async () => {
    for (let i = 0; i < 4; i++) assert.equal(await ask(QUEUE_SAMPLES), 0);
  });

  it("are refused for good when no queue would take them", async () => {
    assert.equal(await ask(QUEUE_SAMPLES + 1), status.RESOURCE_EXHAUSTED);
  });

  /** Sends the beginning of a query, its shapes among it, and no more. */
  function open(sampleCount: number): ClientHttp2Stream {
    const stream = request();
    const bytes = frameOf(sampleCount);
    stream.write(bytes.subarray(0, bytes.length / 2));
    return stream;
  }

  /** Sends a query in two parts; gives gRPC's status. */
  async function ask(sampleCount: number): Promise<number> {
    const stream = request();
    const bytes = frameOf(sampleCount);
    stream.write(bytes.subarray(0, bytes.length / 2));
    stream.end(bytes.subarray(bytes.length / 2));
    let found = -1;
    for (const event of ["response", "trailers"]) {
      stream.on(event, (headers: Record<string, string>) => {
        if (headers["grpc-status"] !== undefined) found = Number(headers["grpc-status"]);
      });
    }
    await once(stream.resume(), "close");
    return found;
  }

  function request(): ClientHttp2Stream {
    const stream = session.request({
      ":method": "POST",
      ":path": "/inference.GRPCInferenceService/ModelInfer",
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.on("error", () => {});
    return stream;
  }
});

function frameOf(sampleCount: number): Buffer {
  const message: InferMessage = {
    modelName: "test",
    inputs: [
      { name: "dense", datatype: "FP32", shape: [sampleCount, 2] },
      { name: "ids", datatype: "INT64", shape: [sampleCount, 3] },
    ],
    rawInputContents: [
      rawBytes("FP32", new Array<number>(2 * sampleCount).fill(0.5)),
      rawBytes("INT64", new Array<number>(3 * sampleCount).fill(1)),
    ],
  };
  const body = encodeMessage(message);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(body.length, 1);
  return Buffer.concat([prefix, body]);
}
