import assert from "node:assert/strict";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { ShardpoolError } from "../../../lib/errors.js";
import { createLog } from "../../../lib/log.js";
import { type GrpcServer, startGrpcServer } from "../../../lib/rpc/grpc-server.js";
import type { GrpcServerCall } from "../../../lib/rpc/grpc-server-call.js";
import { GrpcSession, type UnaryMethod } from "../../../lib/rpc/grpc-session.js";
import { unaryHandler } from "../../../lib/rpc/unary-handler.js";
import { frameOf } from "../../support/grpc-frame.js";
import { tempFolder } from "../../support/temp-folder.js";

const same = (bytes: Buffer): Buffer => bytes;
const codec = {
  ...{ requestSerialize: same, requestDeserialize: same },
  ...{ responseSerialize: same, responseDeserialize: same },
};
const UNARY = { path: "/test.Echo/Unary", requestStream: false, responseStream: false, ...codec };
const STREAM = { path: "/test.Echo/Stream", requestStream: true, responseStream: true, ...codec };
const MESSAGE_BYTES_MAX = 1 << 20;
const TIMEOUT_MS = 10_000;

describe("gRPC over HTTP/2 without grpc-js", () => {
  let server: GrpcServer;
  const folder = tempFolder();

  before(async () => {
    server = await startEcho(`unix:${join(folder, "echo.sock")}`);
  });

  after(() => server.close(0));

  it("calls a unary method that grpc-js serves", async () => {
    await withSession(server.address, async (session) => {
      const reply = await session.ask(UNARY, Buffer.from("hello"), TIMEOUT_MS);
      assert.equal(reply.toString(), "hello");
    });
  });

  it("brings a failed call's status, text and code", async () => {
    await withSession(server.address, async (session) => {
      const error = await failureOf(session.ask(UNARY, Buffer.from("fail: ä%"), TIMEOUT_MS));
      assert.equal(error.code, status.DATA_LOSS);
      assert.match(error.details, /fail: ä%/);
      assert.deepEqual(error.metadata.get("shardpool-code"), ["BLOCK_CORRUPT"]);
      const unknown: UnaryMethod<Buffer, Buffer> = { ...UNARY, path: "/test.Echo/Nothing" };
      const { code } = await failureOf(session.ask(unknown, Buffer.alloc(0), TIMEOUT_MS));
      assert.equal(code, status.UNIMPLEMENTED);
    });
  });

  it("gives up a call at its time limit", async () => {
    await withSession(server.address, async (session) => {
      const { code } = await failureOf(session.ask(UNARY, Buffer.from("hold"), 20));
      assert.equal(code, status.DEADLINE_EXCEEDED);
    });
  });

  it("streams both ways to its own server end, messages of any size in order", async () => {
    await withSession(server.address, async (session) => {
      const sizes = [0, 1, 5, 20_000, 300_000, 3, 70_000];
      const got = await echoAll(session, sizes);
      assert.deepEqual(got, sizes);
    });
  });

  it("serves a grpc-js client", async () => {
    const client = new Client(server.address, credentials.createInsecure());
    try {
      const stream = client.makeBidiStreamRequest(STREAM.path, same, same);
      const sizes = [1, 100_000, 2];
      const got: number[] = [];
      stream.on("data", (message: Buffer) => got.push(message.length));
      for (const size of sizes) stream.write(Buffer.alloc(size));
      stream.end();
      const end = await new Promise<{ code: status }>((resolve) => stream.on("status", resolve));
      assert.deepEqual(got, sizes);
      assert.equal(end.code, status.OK);
    } finally {
      client.close();
    }
  });

  it("ends a stream by the error of whoever reads it", async () => {
    await withSession(server.address, async (session) => {
      const error = await new Promise<ServiceError | undefined>((resolve) => {
        const call = session.call(STREAM.path, { onMessage: () => {}, onEnd: resolve });
        call.send(frameOf(Buffer.from("fail")));
      });
      assert.equal(error?.code, status.INVALID_ARGUMENT);
      assert.match(error?.details ?? "", /no such thing/);
    });
  });

  it("ends a stream whose message is over the limit, by both numbers", async () => {
    await withSession(server.address, async (session) => {
      const error = await new Promise<ServiceError | undefined>((resolve) => {
        const call = session.call(STREAM.path, { onMessage: () => {}, onEnd: resolve });
        call.send(frameOf(Buffer.alloc(MESSAGE_BYTES_MAX + 1)));
      });
      assert.equal(error?.code, status.RESOURCE_EXHAUSTED);
      assert.match(error?.details ?? "", /1048577 bytes, the limit is 1048576/);
    });
  });

  it("tells a call in flight when the connection ends", async () => {
    const other = await startEcho("127.0.0.1:0");
    await withSession(other.address, async (session) => {
      const ended = new Promise<ServiceError | undefined>((resolve) => {
        session.call(STREAM.path, { onMessage: () => {}, onEnd: resolve });
      });
      await other.close(0);
      assert.ok(await ended);
    });
  });

  it("refuses what is no gRPC server, and nobody", async () => {
    const silent = createServer();
    const address = await listenOn(silent);
    assert.equal((await failureOf(connectTo(address, 50))).code, status.UNAVAILABLE);
    silent.close();
    assert.equal((await failureOf(connectTo(address, TIMEOUT_MS))).code, status.UNAVAILABLE);
    const garbage = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    const garbageAddress = await listenOn(garbage);
    assert.equal((await failureOf(connectTo(garbageAddress, TIMEOUT_MS))).code, status.UNAVAILABLE);
    garbage.close();
  });

  it("lives through garbage on its port", async () => {
    const other = await startEcho("127.0.0.1:0");
    const socket = connect({ host: "127.0.0.1", port: Number(other.address.split(":")[1]) });
    socket.on("error", () => {});
    socket.write("GET / HTTP/1.1\r\n\r\n");
    await new Promise((resolve) => socket.once("data", resolve));
    socket.destroy();
    await withSession(other.address, async (session) => {
      assert.deepEqual(await echoAll(session, [7]), [7]);
    });
    await other.close(0);
  });
});

function startEcho(listenAddress: string): Promise<GrpcServer> {
  const log = createLog("echo", "silent");
  const answer = unaryHandler<Buffer, Buffer>(log, async (message) => {
    const text = message.toString();
    if (text === "hold") await new Promise(() => {});
    if (text.startsWith("fail")) throw new ShardpoolError("BLOCK_CORRUPT", text);
    return message;
  });
  return startGrpcServer({
    listenAddress,
    services: [{ definition: { Unary: UNARY }, implementation: { Unary: answer } }],
    calls: new Map([[STREAM.path, serveEcho]]),
    packages: [],
    messageBytesMax: MESSAGE_BYTES_MAX,
  });
}

function serveEcho(call: GrpcServerCall): void {
  call.start(
    {
      onMessage: (message) => {
        if (message.toString() === "fail") {
          throw new ShardpoolError("REQUEST_INVALID", "no such thing");
        }
        call.send(frameOf(message));
      },
      onHalfClose: () => call.end(),
      onClose: () => {},
    },
    MESSAGE_BYTES_MAX,
  );
}

/** Sends messages of some sizes; returns the sizes that came back until the stream ended. */
function echoAll(session: GrpcSession, sizes: readonly number[]): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const got: number[] = [];
    const call = session.call(STREAM.path, {
      onMessage: (message) => {
        assert.ok(message.every((byte) => byte === message.length % 256));
        got.push(message.length);
      },
      onEnd: (error) => (error ? reject(error) : resolve(got)),
    });
    for (const size of sizes) call.send(frameOf(Buffer.alloc(size, size % 256)));
    call.halfClose();
  });
}

async function withSession(
  address: string,
  use: (session: GrpcSession) => Promise<void>,
): Promise<void> {
  const session = await connectTo(address, TIMEOUT_MS);
  try {
    await use(session);
  } finally {
    session.close();
  }
}

function connectTo(address: string, timeoutMs: number): Promise<GrpcSession> {
  return GrpcSession.connect(address, timeoutMs, MESSAGE_BYTES_MAX);
}

async function listenOn(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  assert.ok(bound !== null && typeof bound !== "string");
  return `127.0.0.1:${bound.port}`;
}

async function failureOf(promise: Promise<unknown>): Promise<ServiceError> {
  try {
    await promise;
  } catch (error) {
    return error as ServiceError;
  }
  assert.fail("it did not fail");
}
