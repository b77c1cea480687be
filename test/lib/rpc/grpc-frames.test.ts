import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { GrpcFrameReader } from "../../../lib/rpc/grpc-frames.js";
import { frameOf } from "../../support/grpc-frame.js";

const MESSAGE_BYTES_MAX = 1000;

describe("GrpcFrameReader", () => {
  it("gives the messages of a stream however it is cut into pieces", () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 12 });
    const cuts = fc.array(fc.nat({ max: 3000 }), { maxLength: 40 });
    fc.assert(
      fc.property(messages, cuts, (sent, cutPoints) => {
        const stream = Buffer.concat(sent.map(frameOf));
        const reader = readInto();
        for (const piece of piecesOf(stream, cutPoints)) reader.frames.push(piece);
        assert.deepEqual(reader.messages, sent.map(hexOf));
        assert.equal(reader.frames.isAtBoundary, true);
      }),
    );
  });

  it("is not at a boundary within a message", () => {
    const { frames } = readInto();
    frames.push(frameOf(new Uint8Array(10)).subarray(0, 9));
    assert.equal(frames.isAtBoundary, false);
  });

  it("lets a message in several pieces begin five bytes after a multiple of 8", () => {
    const offsets: number[] = [];
    const frames = new GrpcFrameReader(MESSAGE_BYTES_MAX, ({ byteOffset }) => {
      offsets.push(byteOffset % 8);
    });
    for (let count = 0; count < 3; count++) {
      const frame = frameOf(new Uint8Array(900));
      frames.push(frame.subarray(0, 1));
      frames.push(frame.subarray(1));
    }
    assert.deepEqual(offsets, [5, 5, 5]);
  });

  it("puts large messages together from pieces of any size", () => {
    for (const pieceBytes of [1000, 16_384, 100_000]) {
      const sent = Buffer.from(Uint8Array.from({ length: 700_000 }, (_, i) => i % 251));
      const received: Buffer[] = [];
      const frames = new GrpcFrameReader(sent.length, (message) => {
        received.push(Buffer.from(message));
      });
      const stream = Buffer.concat([frameOf(sent), frameOf(sent)]);
      for (let start = 0; start < stream.length; start += pieceBytes) {
        frames.push(stream.subarray(start, start + pieceBytes));
      }
      assert.deepEqual(received, [sent, sent]);
    }
  });

  it("takes memory for what has come, and not for what a prefix says will", () => {
    const claim = Buffer.from([0, 0x04, 0, 0, 0, 1, 2, 3]);
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 500 }, () => new GrpcFrameReader(2 ** 26, () => {}));
    for (const reader of readers) reader.push(claim);

    const taken = process.memoryUsage().arrayBuffers - before;
    assert.ok(taken < 500 * 128 * 1024, `${taken} bytes for 500 claims of 64 MiB`);
    assert.ok(readers.every(({ isAtBoundary }) => !isAtBoundary));
  });

  it("refuses a message over the limit before it has come, and a compressed one", () => {
    const prefix = (flag: number, length: number): Buffer => {
      const bytes = Buffer.from([flag, 0, 0, 0, 0]);
      bytes.writeUInt32BE(length, 1);
      return bytes;
    };
    assert.throws(() => readInto().frames.push(prefix(0, MESSAGE_BYTES_MAX + 1)), {
      code: "LIMIT_EXCEEDED",
      message: /1001 bytes, the limit is 1000/,
    });
    assert.throws(() => readInto().frames.push(prefix(1, 4)), { code: "FORMAT_UNSUPPORTED" });
  });
});

function readInto(): { readonly frames: GrpcFrameReader; readonly messages: string[] } {
  const messages: string[] = [];
  const frames = new GrpcFrameReader(MESSAGE_BYTES_MAX, (message) => {
    messages.push(hexOf(message));
  });
  return { frames, messages };
}

function piecesOf(stream: Buffer, cutPoints: readonly number[]): Buffer[] {
  const cuts = [0, ...cutPoints.map((cut) => Math.min(cut, stream.length)), stream.length];
  cuts.sort((a, b) => a - b);
  return cuts.slice(1).map((end, i) => stream.subarray(cuts[i]!, end));
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
