import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { after, before, describe, it } from "node:test";
import { Client, compressionAlgorithms, credentials, status } from "@grpc/grpc-js";
import { ShardpoolError } from "../../../lib/errors.js";
import { createLog } from "../../../lib/log.js";
import { type ArrivingCall, parseGrpcTimeout } from "../../../lib/rpc/arriving-call.js";
import { type GrpcServer, startGrpcServer } from "../../../lib/rpc/grpc-server.js";
import { serveUnary, type UnaryServing } from "../../../lib/rpc/serve-unary.js";
import { unaryHandler } from "../../../lib/rpc/unary-handler.js";
import { waitFor } from "../../support/wait-for.js";

const PATH = "/test.Sizes/Measure";
const LARGE = 300_000;
const MESSAGE_BYTES_MAX = 1_000_000;

describe("serveUnary()", () => {
  const arrivals: ArrivingCall[] = [];
  let admit: (call: ArrivingCall) => (() => void) | undefined = () => undefined;
  let received: number[] = [];
  let server: GrpcServer;
  let session: ClientHttp2Session;
  const answer = async (message: Buffer): Promise<Buffer> => {
    received.push(message.length);
    return Buffer.from("ok");
  };
  const serving: UnaryServing = {
    messageBytesMax: MESSAGE_BYTES_MAX,
    log: createLog("test", "silent"),
    admit: (call) => {
      arrivals.push({ ...call, firstBytes: Uint8Array.from(call.firstBytes) });
      return admit(call);
    },
    handle: answer,
  };

  before(async () => {
    server = await startGrpcServer({
      listenAddress: "127.0.0.1:0",
      services: [
        {
          definition: {
            Measure: {
              ...{ path: PATH, requestStream: false, responseStream: false },
              requestSerialize: (bytes: Buffer) => bytes,
              requestDeserialize: (bytes: Buffer) => bytes,
              responseSerialize: (bytes: Buffer) => bytes,
              responseDeserialize: (bytes: Buffer) => bytes,
            },
          },
          implementation: {
            // What comes compressed.
            Measure: unaryHandler<Buffer, Buffer>(createLog("test", "silent"), answer),
          },
        },
      ],
      packages: [],
      messageBytesMax: MESSAGE_BYTES_MAX,
      calls: new Map([[PATH, (call) => serveUnary(call, serving)]]),
    });
    session = connect(`http://${server.address}`);
  });

  after(async () => {
    session?.destroy();
    await server?.close(0);
  });

  it("refuses a call whose message will never be whole, with code and text", async () => {
    received = [];
    admit = () => {
      throw new ShardpoolError("SERVER_OVERLOADED", "no room für 12");
    };

    const stream = open({ "grpc-timeout": "250m" });
    stream.write(frameOf(Buffer.alloc(3000, 7), LARGE));
    const [headers] = (await once(stream, "response")) as [Record<string, string>];
    await once(stream, "close");

    assert.equal(Number(headers["grpc-status"]), status.UNAVAILABLE);
    assert.equal(decodeURI(headers["grpc-message"]!), "[SERVER_OVERLOADED] no room für 12");
    assert.equal(headers["shardpool-code"], "SERVER_OVERLOADED");
    assert.equal(stream.rstCode, 0);
    assert.equal(arrivals.at(-1)!.timeoutMs, 250);
    assert.deepEqual([...arrivals.at(-1)!.firstBytes.subarray(0, 3)], [7, 7, 7]);
    assert.deepEqual(received, []);
  });

  it("says when an admitted message is whole, before the method gets it", async () => {
    received = [];
    const receivedWhenWhole: number[] = [];
    admit = () => () => receivedWhenWhole.push(received.length);

    const stream = open();
    stream.end(frameOf(Buffer.alloc(LARGE), LARGE));
    await once(stream.resume(), "close");

    assert.deepEqual(received, [LARGE]);
    assert.equal(receivedWhenWhole[0], 0);
  });

  it("says so too when the caller gives up half-way", async () => {
    let wholeCount = 0;
    let isAdmitted = false;
    admit = () => {
      isAdmitted = true;
      return () => wholeCount++;
    };

    const stream = open();
    stream.write(frameOf(Buffer.alloc(3000), LARGE));
    await waitFor("the call to be admitted", () => isAdmitted);
    assert.equal(wholeCount, 0);
    stream.close(8);

    await waitFor("the end of the call", () => wholeCount > 0);
  });

  it("puts first bytes together that come one by one", async () => {
    arrivals.length = 0;
    admit = () => {
      throw new ShardpoolError("SERVER_OVERLOADED", "full");
    };

    const stream = open();
    const bytes = frameOf(Buffer.alloc(3000, 7), LARGE);
    const cuts = [0, 3, 5, 6, 1000, bytes.length];
    for (const [i, start] of cuts.slice(0, -1).entries()) {
      const part = bytes.subarray(start, cuts[i + 1]);
      await new Promise<void>((resolve) => stream.write(part, () => resolve()));
    }
    await once(stream, "close");

    assert.equal(arrivals.length, 1);
    assert.equal(arrivals[0]!.firstBytes.length, 3000);
  });

  it("refuses a message over the limit by its length", async () => {
    arrivals.length = 0;
    const stream = open();
    stream.write(frameOf(Buffer.alloc(3000), 1_000_001));
    const [headers] = (await once(stream, "response")) as [Record<string, string>];

    assert.equal(Number(headers["grpc-status"]), status.RESOURCE_EXHAUSTED);
    assert.equal(headers["shardpool-code"], "LIMIT_EXCEEDED");
    assert.deepEqual(arrivals, []);
  });

  it("refuses a call that ends without or within its message, or with two", async () => {
    for (const [bytes, expected] of [
      [undefined, status.INVALID_ARGUMENT],
      [frameOf(Buffer.alloc(100), 200), status.INVALID_ARGUMENT],
      [Buffer.alloc(3), status.INVALID_ARGUMENT],
      [
        Buffer.concat([frameOf(Buffer.alloc(1), 1), frameOf(Buffer.alloc(1), 1)]),
        status.INVALID_ARGUMENT,
      ],
    ] as const) {
      const stream = open({}, bytes === undefined);
      const response = once(stream, "response");
      if (bytes) stream.end(bytes);
      const [headers] = (await response) as [Record<string, string>];
      assert.equal(Number(headers["grpc-status"]), expected);
      stream.resume();
    }
  });

  it("leaves compressed messages to the method", async () => {
    received = [];
    arrivals.length = 0;
    const client = new Client(server.address, credentials.createInsecure(), {
      "grpc.default_compression_algorithm": compressionAlgorithms.gzip,
    });
    const identity = (bytes: Buffer): Buffer => bytes;

    const noise = randomBytes(LARGE);
    const answer = await new Promise((resolve) =>
      client.makeUnaryRequest(PATH, identity, identity, noise, (_, reply) => resolve(reply)),
    );

    client.close();
    assert.deepEqual(answer, Buffer.from("ok"));
    assert.deepEqual(received, [LARGE]);
    assert.deepEqual(arrivals, []);
  });

  it("leaves a message to the method that is whole at once", async () => {
    received = [];
    arrivals.length = 0;

    const stream = open();
    stream.end(frameOf(Buffer.alloc(1000), 1000));
    await once(stream.resume(), "close");

    assert.deepEqual(received, [1000]);
    assert.deepEqual(arrivals, []);
  });

  function open(headers: Record<string, string> = {}, endStream = false): ClientHttp2Stream {
    const stream = session.request(
      {
        ...{ ":method": "POST", ":path": PATH, "content-type": "application/grpc", te: "trailers" },
        ...headers,
      },
      { endStream },
    );
    stream.on("error", () => {});
    return stream;
  }
});

describe("parseGrpcTimeout()", () => {
  it("knows every unit, and takes what it cannot read for no deadline", () => {
    const read = ["2H", "3M", "4S", "5m", "6000u", "7000000n"].map(parseGrpcTimeout);
    assert.deepEqual(read, [7_200_000, 180_000, 4000, 5, 6, 7]);
    for (const header of [undefined, "", "5", "m", "123456789m", "-1m", "1.5S"]) {
      assert.equal(parseGrpcTimeout(header), Number.POSITIVE_INFINITY);
    }
  });
});

/** The start of a message said to have `messageBytes`. */
function frameOf(bytes: Buffer, messageBytes: number): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(messageBytes, 1);
  return Buffer.concat([prefix, bytes]);
}
