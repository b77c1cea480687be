import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttp2Server } from "node:http2";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type ServiceError, status } from "@grpc/grpc-js";
import { createLog } from "../../../lib/log.js";
import { GrpcChannel } from "../../../lib/rpc/grpc-channel.js";
import { type GrpcServer, startGrpcServer } from "../../../lib/rpc/grpc-server.js";
import { unaryHandler } from "../../../lib/rpc/unary-handler.js";
import { tempFolder } from "../../support/temp-folder.js";

const same = (bytes: Buffer): Buffer => bytes;
const ECHO = {
  ...{ path: "/test.Echo/Unary", requestStream: false, responseStream: false },
  ...{ requestSerialize: same, requestDeserialize: same },
  ...{ responseSerialize: same, responseDeserialize: same },
};
const OPTIONS = { connectTimeoutMs: 5000, messageBytesMax: 1 << 20, retryMs: 10 };
const TIMEOUT_MS = 10_000;

describe("GrpcChannel", () => {
  const folder = tempFolder();
  const address = `unix:${join(folder, "echo.sock")}`;

  it("connects by itself with the first call", async () => {
    const server = await startEcho(address);
    const channel = new GrpcChannel(address, OPTIONS);
    const replies = await Promise.all(["a", "b"].map((text) => ask(channel, text)));
    assert.deepEqual(replies, ["a", "b"]);
    channel.close();
    await server.close(0);
  });

  it("says that nobody is there, and finds who comes later", async () => {
    const channel = new GrpcChannel(address, OPTIONS);
    await assert.rejects(ask(channel, "a"), { code: status.UNAVAILABLE });
    await assert.rejects(channel.ready(30), { code: status.UNAVAILABLE });
    const ready = channel.ready(TIMEOUT_MS);
    const server = await startEcho(address);
    await ready;
    assert.equal(await ask(channel, "there"), "there");
    channel.close();
    await server.close(0);
  });

  it("lets a call in flight end when the server drains, and goes to its successor", async () => {
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let arrive: () => void = () => {};
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const first = await startEcho(address, async () => {
      arrive();
      await held;
    });
    const channel = new GrpcChannel(address, OPTIONS);
    const slow = ask(channel, "slow");
    await arrived;
    const closed = first.close(TIMEOUT_MS);
    release();
    assert.equal(await slow, "slow");
    await closed;
    const second = await startEcho(address);
    await channel.ready(TIMEOUT_MS);
    assert.equal(await ask(channel, "next"), "next");
    channel.close();
    await second.close(0);
  });

  it("gives a call up at its timeout while it still connects", async () => {
    // It takes the connection and says nothing of HTTP/2.
    const mute = createServer(() => {}).listen(join(folder, "mute.sock"));
    await once(mute, "listening");
    const channel = new GrpcChannel(`unix:${join(folder, "mute.sock")}`, OPTIONS);
    await assert.rejects(ask(channel, "a", 30), { code: status.DEADLINE_EXCEEDED });
    channel.close();
    mute.close();
  });

  it("has more calls in flight than the server takes streams, and gives up those that wait too long", async () => {
    let arrivedCount = 0;
    const server = createHttp2Server({ settings: { maxConcurrentStreams: 3 } });
    server.on("stream", () => {
      arrivedCount++;
    });
    server.listen(join(folder, "narrow.sock"));
    await once(server, "listening");
    const channel = new GrpcChannel(`unix:${join(folder, "narrow.sock")}`, OPTIONS);
    await channel.ready(TIMEOUT_MS);
    const held = Array.from({ length: 3 }, () => ask(channel, "held"));
    const waiting = Array.from({ length: 17 }, () => ask(channel, "waits", 50));
    for (const { reason } of (await Promise.allSettled(waiting)) as { reason?: ServiceError }[]) {
      assert.equal(reason?.code, status.DEADLINE_EXCEEDED);
    }
    assert.equal(arrivedCount, 3);
    channel.close();
    for (const call of held) await assert.rejects(call);
    server.close();
  });

  it("answers every call above the server's stream limit, in turn", async () => {
    let inFlight = 0;
    let inFlightMost = 0;
    const server = createHttp2Server({ settings: { maxConcurrentStreams: 3 } });
    server.on("stream", (stream) => {
      inFlightMost = Math.max(inFlightMost, ++inFlight);
      const pieces: Buffer[] = [];
      stream.on("data", (piece: Buffer) => pieces.push(piece));
      stream.on("close", () => inFlight--);
      stream.on("end", () => {
        stream.respond({ "content-type": "application/grpc+proto" }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
        stream.end(Buffer.concat(pieces));
      });
    });
    server.listen(join(folder, "turns.sock"));
    await once(server, "listening");
    const channel = new GrpcChannel(`unix:${join(folder, "turns.sock")}`, OPTIONS);
    await channel.ready(TIMEOUT_MS);
    const texts = Array.from({ length: 50 }, (_, i) => `call ${i}`);
    assert.deepEqual(await Promise.all(texts.map((text) => ask(channel, text))), texts);
    assert.ok(inFlightMost <= 3, `${inFlightMost} in flight`);
    channel.close();
    server.close();
  });

  it("fails what is in flight when it is closed, and what comes after", async () => {
    const server = await startEcho(address, () => new Promise(() => {}));
    const channel = new GrpcChannel(address, OPTIONS);
    await channel.ready(TIMEOUT_MS);
    const reply = ask(channel, "never");
    channel.close();
    await assert.rejects(reply);
    await assert.rejects(ask(channel, "late"), { code: status.CANCELLED });
    await server.close(0);
  });
});

function startEcho(address: string, before = async () => {}): Promise<GrpcServer> {
  const answer = unaryHandler<Buffer, Buffer>(createLog("echo", "silent"), async (message) => {
    await before();
    return message;
  });
  return startGrpcServer({
    listenAddress: address,
    services: [{ definition: { Unary: ECHO }, implementation: { Unary: answer } }],
    packages: [],
    messageBytesMax: 1 << 20,
  });
}

function ask(channel: GrpcChannel, text: string, timeoutMs = TIMEOUT_MS): Promise<string> {
  return new Promise((resolve, reject) => {
    const onAnswer = (error: ServiceError | null, reply: Buffer | undefined): void => {
      if (error) reject(error);
      else resolve(String(reply));
    };
    channel.unary(ECHO.path, Buffer.from(text), timeoutMs, onAnswer);
  });
}
