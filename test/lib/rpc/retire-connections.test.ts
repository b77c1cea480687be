import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { after, before, describe, it } from "node:test";
import type { ServerUnaryCall } from "@grpc/grpc-js";
import { createLog } from "../../../lib/log.js";
import { type GrpcServer, startGrpcServer } from "../../../lib/rpc/grpc-server.js";
import { unaryHandler } from "../../../lib/rpc/unary-handler.js";
import { waitFor } from "../../support/wait-for.js";

const PATH = "/test.Held/Wait";
/** nghttp2 ends a connection with INTERNAL_ERROR after 1000 in a burst. */
const RESET_COUNT = 1500;
const CANCEL = 8;
const NO_ERROR = 0;

describe("retireResetConnections()", () => {
  let server: GrpcServer;
  let release: (() => void)[] = [];

  before(async () => {
    const identity = (bytes: Buffer): Buffer => bytes;
    const hold = (_: Buffer, _call: ServerUnaryCall<Buffer, Buffer>): Promise<Buffer> =>
      new Promise((resolve) => release.push(() => resolve(Buffer.from("ok"))));
    server = await startGrpcServer({
      listenAddress: "127.0.0.1:0",
      services: [
        {
          definition: {
            Wait: {
              ...{ path: PATH, requestStream: false, responseStream: false },
              ...{ requestSerialize: identity, requestDeserialize: identity },
              ...{ responseSerialize: identity, responseDeserialize: identity },
            },
          },
          implementation: { Wait: unaryHandler(createLog("test", "silent"), hold) },
        },
      ],
      packages: [],
      messageBytesMax: 1000,
    });
  });

  after(() => server?.close(0));

  it("asks a client that resets by the thousand for a new connection, and fails nothing", async () => {
    release = [];
    const session = openSession(server);
    const goaways: number[] = [];
    session.on("goaway", (code) => goaways.push(code));
    const bystander = ask(session);
    await waitFor("the bystander's call", () => release.length > 0);

    for (let i = 0; i < RESET_COUNT; i++) {
      // A client that has got GOAWAY may open no more; what it had open it resets here.
      if (goaways.length > 0) break;
      await reset(session);
    }
    assert.deepEqual(goaways, [NO_ERROR]);
    for (const done of release.splice(0)) done();
    const [trailers] = (await once(bystander.resume(), "trailers")) as [Record<string, string>];

    assert.equal(Number(trailers["grpc-status"]), 0);
    session.destroy();
  });

  it("cuts off a client that goes on with the old connection", async () => {
    release = [];
    const session = openSession(server);
    const streams = Array.from({ length: 2000 }, () => ask(session));
    await waitFor("the calls", () => release.length === 2000);

    for (const stream of streams) stream.close(CANCEL);

    await once(session, "close");
  });
});

function openSession(server: GrpcServer): ClientHttp2Session {
  const session = connect(`http://${server.address}`);
  session.on("error", () => {});
  return session;
}

function ask(session: ClientHttp2Session): ClientHttp2Stream {
  const stream = session.request({
    ...{ ":method": "POST", ":path": PATH, "content-type": "application/grpc", te: "trailers" },
  });
  stream.on("error", () => {});
  stream.end(Buffer.from([0, 0, 0, 0, 1, 9]));
  return stream;
}

async function reset(session: ClientHttp2Session): Promise<void> {
  const stream = ask(session);
  if (stream.pending) await once(stream, "ready");
  stream.close(CANCEL);
  await once(stream, "close");
}
