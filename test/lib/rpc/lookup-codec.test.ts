import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MethodDefinition } from "@grpc/grpc-js";
import fc from "fast-check";
import { loadProto, serviceOf } from "../../../lib/rpc/load-proto.js";
import {
  decodeLookupReply,
  decodeLookupRequest,
  encodeLookupReply,
  encodeLookupRequest,
  type LookupReplyMessage,
  type LookupRequestMessage,
  REPLY_ROOM_BYTES,
} from "../../../lib/rpc/lookup-codec.js";

const service = serviceOf(loadProto("embedding_shard.proto"), "shardpool.v1.EmbeddingShard");
const method = service.service["Lookup"] as MethodDefinition<object, object>;

const uint32 = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 0xffffffff }));
const bytes = fc.uint8Array({ maxLength: 300 });
const text = fc.string({ unit: "grapheme", maxLength: 20 });

const request: fc.Arbitrary<LookupRequestMessage> = fc.record({
  correlationId: uint32,
  timeoutUs: uint32,
  sampleCount: uint32,
  segments: fc.array(
    fc.record({ partition: uint32, lengths: bytes, values: bytes, weights: bytes }),
    { maxLength: 4 },
  ),
  float16Reply: fc.boolean(),
  traceparent: text,
  cancel: fc.boolean(),
  ping: fc.boolean(),
});

const timings = fc.record({
  queueUs: uint32,
  memoryUs: uint32,
  ssdUs: uint32,
  poolUs: uint32,
  totalUs: uint32,
});
const counts = { rowsHit: uint32, rowsMissed: uint32, blocksRead: uint32 };
const answer = fc.record({
  ...{ correlationId: uint32, error: fc.constant(null), pooled: bytes },
  ...{ timings: fc.option(timings), ...counts },
});
const refusal = fc.record({
  correlationId: uint32,
  error: fc.record({ status: uint32, code: text, message: text }),
  pooled: fc.constant(new Uint8Array(0)),
  timings: fc.constant(null),
  ...{ rowsHit: fc.constant(0), rowsMissed: fc.constant(0), blocksRead: fc.constant(0) },
});
const reply: fc.Arbitrary<LookupReplyMessage> = fc.oneof(answer, refusal);

describe("the lookup codec", () => {
  it("writes requests as protobufjs does", () => {
    fc.assert(
      fc.property(request, (message) => {
        assert.deepEqual(encodeLookupRequest(message), method.requestSerialize(sparse(message)));
      }),
    );
  });

  it("reads the requests that protobufjs writes", () => {
    fc.assert(
      fc.property(request, (message) => {
        const bytes = method.requestSerialize(message);
        assert.deepEqual(plain(decodeLookupRequest(bytes)), plain(message));
      }),
    );
  });

  it("writes replies as protobufjs does, padding included", () => {
    fc.assert(
      fc.property(reply, (message) => {
        const ours = encodeLookupReply(message);

        const padding = paddingOf(ours);
        assert.deepEqual(ours, method.responseSerialize(sparse({ ...message, padding })));
      }),
    );
  });

  it("reads the replies that protobufjs writes", () => {
    fc.assert(
      fc.property(reply, (message) => {
        const bytes = method.responseSerialize(message);
        assert.deepEqual(plain(decodeLookupReply(bytes)), plain(message));
      }),
    );
  });

  it("starts the sums at a multiple of 4 behind gRPC's prefix", () => {
    fc.assert(
      fc.property(reply, (message) => {
        const bytes = encodeLookupReply(message);
        const { pooled } = decodeLookupReply(bytes);
        if (pooled.length > 0) assert.equal((pooled.byteOffset - bytes.byteOffset + 5) % 4, 0);
      }),
    );
  });

  it("writes around sums that have room, and does not copy them", () => {
    fc.assert(
      fc.property(answer, (message) => {
        const room = new ArrayBuffer(message.pooled.length + 2 * REPLY_ROOM_BYTES);
        const pooled = new Uint8Array(room, REPLY_ROOM_BYTES, message.pooled.length);
        pooled.set(message.pooled);

        const bytes = encodeLookupReply({ ...message, pooled }, true);

        assert.equal(bytes.buffer, room);
        assert.deepEqual(bytes, encodeLookupReply(message));
      }),
    );
  });

  it("passes over fields it does not know", () => {
    const known = encodeLookupReply({ ...emptyReply(), correlationId: 7, rowsHit: 3 });
    // Field 15 as a varint, 8 bytes, length-delimited and 4 bytes.
    const unknown = Buffer.from("78967f" + "790102030405060708" + "7a02aabb" + "7d01020304", "hex");

    const { correlationId, rowsHit } = decodeLookupReply(Buffer.concat([unknown, known]));

    assert.deepEqual({ correlationId, rowsHit }, { correlationId: 7, rowsHit: 3 });
  });

  it("refuses a message cut short anywhere inside a field, and never reads past it", () => {
    fc.assert(
      fc.property(request, fc.nat(), (message, at) => {
        const bytes = encodeLookupRequest(message);
        const cut = bytes.subarray(0, at % (bytes.length + 1));
        try {
          decodeLookupRequest(cut);
        } catch (error) {
          assert.ok(error instanceof RangeError);
        }
      }),
    );
    assert.throws(() => decodeLookupRequest(Buffer.from("2205", "hex")), RangeError);
    assert.throws(() => decodeLookupRequest(Buffer.from("08ffffffffffffffffffff01", "hex")), {
      message: /10 bytes/,
    });
  });
});

function emptyReply(): LookupReplyMessage {
  const pooled = new Uint8Array(0);
  const none = { rowsHit: 0, rowsMissed: 0, blocksRead: 0 };
  return { correlationId: 0, error: null, pooled, timings: null, ...none };
}

/** protobufjs writes what it is given, zeros too; proto3 leaves them out, and so do we. */
function sparse(value: object): object {
  const kept = Object.entries(value).filter(
    ([, field]) =>
      !(field === null || field === 0 || field === false || field === "") &&
      !(field instanceof Uint8Array && field.length === 0),
  );
  return Object.fromEntries(kept.map(([name, field]) => [name, sparseField(field)]));
}

function sparseField(field: unknown): unknown {
  if (Array.isArray(field)) return field.map((element: object) => sparse(element));
  if (field instanceof Uint8Array || typeof field !== "object" || field === null) return field;
  return sparse(field);
}

/** Bytes as text, so that a Buffer and a Uint8Array of the same bytes compare equal. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, field: unknown) => {
      if (field instanceof Uint8Array) return Buffer.from(field).toString("hex");
      const isBuffer = typeof field === "object" && field !== null && "type" in field;
      return isBuffer && "data" in field
        ? Buffer.from(field.data as number[]).toString("hex")
        : field;
    }),
  );
}

function paddingOf(bytes: Buffer): Uint8Array {
  const read = method.responseDeserialize(bytes) as { readonly padding: Uint8Array };
  return read.padding;
}
