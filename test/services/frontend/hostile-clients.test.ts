import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { after, afterEach, before, describe, it } from "node:test";
import type { GoldenRequests } from "../../../lib/model/golden.js";
import { Random } from "../../../lib/random.js";
import {
  encodeMessage,
  goldenMessage,
  outputOf,
  RawInferClient,
} from "../../support/infer-message.js";
import { policyPlan, writePolicyModel } from "../../support/policy-model.js";
import { type ServedPlan, servePlan } from "../../support/served-plan.js";
import { tempFolder } from "../../support/temp-folder.js";
import { waitFor } from "../../support/wait-for.js";

const GARBAGE_CONNECTIONS = 20;
const GARBAGE_BYTES = 2000;
const UNREAD_QUERIES = 50;
/** Nearly a megabyte of answer each: far more than a loopback connection holds (seen: 4 MB). */
const HTTP_SAMPLES = 4096;
const UNREAD_HTTP_QUERIES = 60;

describe("a frontend with hostile clients", () => {
  const folder = tempFolder();
  const open: { destroy(): void }[] = [];
  let served: ServedPlan;
  let golden: GoldenRequests;
  let client: RawInferClient;

  before(async () => {
    const model = await writePolicyModel(folder);
    golden = await model.readGolden();
    served = await servePlan(folder, `${folder}/policy-model`, policyPlan(model), {
      httpAddress: "127.0.0.1:0",
      metricsAddress: "127.0.0.1:0",
    });
    client = new RawInferClient(served.frontend.address);
  });

  afterEach(() => {
    for (const connection of open.splice(0)) connection.destroy();
  });

  after(() => client?.close());

  it("outlives garbage on every port", async () => {
    const random = new Random(1, "garbage");
    const { address, httpAddress, metricsAddress } = served.frontend;
    const closed: Promise<unknown>[] = [];
    for (const target of [address, httpAddress!, metricsAddress!]) {
      for (let i = 0; i < GARBAGE_CONNECTIONS; i++) {
        const socket = openSocket(target);
        closed.push(once(socket, "close"));
        socket.end(Buffer.from(Array.from({ length: GARBAGE_BYTES }, () => random.nextBelow(256))));
        socket.resume();
      }
    }
    await Promise.all(closed);

    await assertAnswers();
  });

  it("answers others while a gRPC client does not read", async () => {
    const message = { ...goldenMessage(golden, "raw"), outputs: [{ name: "pooled" }] };
    const body = encodeMessage(message);
    const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, 0]), body]);
    frame.writeUInt32BE(body.length, 1);
    // No window: the server may send headers and not a byte of an answer.
    const session = openHttp2(served.frontend.address);
    await once(session, "connect");
    const streams = Array.from({ length: UNREAD_QUERIES }, () => {
      const stream = session.request({
        ":method": "POST",
        ":path": "/inference.GRPCInferenceService/ModelInfer",
        "content-type": "application/grpc",
        te: "trailers",
      });
      stream.on("error", () => {});
      stream.end(frame);
      return stream;
    });
    await Promise.all(streams.map((stream) => once(stream, "response")));

    await assertAnswers();
  });

  it("reads no more of an HTTP client that does not read, answers others, and loses nothing", async () => {
    const body = pooledBody(HTTP_SAMPLES);
    const head = `POST /v2/models/test/infer HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n`;
    const socket = openSocket(served.frontend.httpAddress!);
    socket.pause();
    const before = await httpAnswers();
    const answered = async (): Promise<number> => (await httpAnswers()) - before;
    let sentCount = 0;
    const isStuck = async (): Promise<boolean> => {
      if (sentCount > (await answered())) return await isUnchanged(answered);
      socket.write(`${head}${body}`);
      sentCount++;
      return sentCount === UNREAD_HTTP_QUERIES;
    };

    // Its answers fill what the sockets hold; then its next query stays where it is.
    await waitFor("the frontend to read no more", isStuck, 20_000);
    assert.ok(sentCount < UNREAD_HTTP_QUERIES, "it read all");
    await assertAnswers();

    let text = "";
    socket.setEncoding("latin1").on("data", (piece: string) => {
      text += piece;
    });
    socket.resume();
    const statuses = (): string[] => text.match(/HTTP\/1\.1 \d+/g) ?? [];
    await waitFor("every answer", () => statuses().length === sentCount);
    assert.deepEqual([...new Set(statuses())], ["HTTP/1.1 200"]);
  });

  it("closes although they hold on", async () => {
    const session = openHttp2(served.frontend.address);
    await once(session, "connect");
    const socket = openSocket(served.frontend.httpAddress!);
    await once(socket, "connect");
    socket.write("POST /v2/models/test/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n");

    await served.close();

    await waitFor("the end of the gRPC connection", () => session.destroyed || session.closed);
  });

  /** A query whose answer, pooled sums as text, is many times its size. */
  function pooledBody(sampleCount: number): string {
    const ids = Array.from({ length: 3 * sampleCount }, (_, i) => i % 20);
    return JSON.stringify({
      inputs: [
        { name: "dense", datatype: "FP32", shape: [sampleCount, 2], data: ids.slice(sampleCount) },
        { name: "ids", datatype: "INT64", shape: [sampleCount, 3], data: ids },
      ],
      outputs: [{ name: "pooled" }],
    });
  }

  async function httpAnswers(): Promise<number> {
    const page = await (await fetch(`http://${served.frontend.metricsAddress}/metrics`)).text();
    return Number(/queries_total\{protocol="http",code="OK"\} (\d+)/.exec(page)?.[1] ?? 0);
  }

  /** True for a count that no turn of many changes. */
  async function isUnchanged(read: () => Promise<number>): Promise<boolean> {
    const first = await read();
    for (let i = 0; i < 60; i++) if ((await read()) !== first) return false;
    return true;
  }

  async function assertAnswers(): Promise<void> {
    const reply = await client.infer(goldenMessage(golden, "raw"));
    const probability = outputOf(reply, "probability");
    for (const [i, expected] of golden.probability.entries()) {
      assert.ok(Math.abs(probability[i]! - expected) <= 1e-6);
    }
    const ready = await fetch(`http://${served.frontend.httpAddress}/v2/health/ready`);
    assert.deepEqual(await ready.json(), { ready: true });
  }

  function openSocket(address: string): Socket {
    const split = address.lastIndexOf(":");
    const socket = connect(Number(address.slice(split + 1)), address.slice(0, split));
    socket.on("error", () => {});
    open.push(socket);
    return socket;
  }

  function openHttp2(address: string): ClientHttp2Session {
    const session = connectHttp2(`http://${address}`, { settings: { initialWindowSize: 0 } });
    session.on("error", () => {});
    open.push(session);
    return session;
  }
});
