import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decodeModelInferRequest } from "../../../services/frontend/infer-request-codec.js";
import { OUT_OF_INT32 } from "../../../services/frontend/tensor-contents.js";
import { encodeMessage, RequestType } from "../../support/infer-message.js";

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const text = fc.string({ maxLength: 12, unit: "grapheme" });

const message = fc.record({
  modelName: text,
  modelVersion: text,
  id: text,
  parameters: fc.dictionary(
    text,
    fc.oneof(
      fc.boolean().map((boolParam) => ({ boolParam })),
      fc.maxSafeInteger().map((int64Param) => ({ int64Param })),
      text.map((stringParam) => ({ stringParam })),
      fc.double({ noNaN: true }).map((doubleParam) => ({ doubleParam })),
    ),
    { maxKeys: 4 },
  ),
  inputs: fc.array(
    fc.record({
      name: text,
      datatype: text,
      shape: fc.array(fc.maxSafeInteger(), { maxLength: 5 }),
      contents: fc.record({
        intContents: fc.array(int32, { maxLength: 20 }),
        int64Contents: fc.array(int64, { maxLength: 20 }),
        fp32Contents: fc.array(fc.float({ noNaN: true }), { maxLength: 20 }),
      }),
    }),
    { maxLength: 4 },
  ),
  outputs: fc.array(fc.record({ name: text }), { maxLength: 3 }),
  rawInputContents: fc.array(fc.uint8Array({ maxLength: 9 }), { maxLength: 3 }),
});

describe("decodeModelInferRequest()", () => {
  it("reads what protobufjs' generated writer gives", () => {
    fc.assert(
      fc.property(message, (sent) => {
        const bytes = Buffer.from(
          RequestType.encode(RequestType.fromObject(withLongsAsText(sent))).finish(),
        );

        const read = decodeModelInferRequest(bytes);

        assert.deepEqual(
          [read.modelName, read.modelVersion, read.id],
          [sent.modelName, sent.modelVersion, sent.id],
        );
        assert.deepEqual(
          new Map(read.parameters),
          new Map(
            Object.entries(sent.parameters).map(([key, value]) => [key, Object.values(value)[0]]),
          ),
        );
        assert.deepEqual(
          read.outputs.map(({ name }) => name),
          sent.outputs.map(({ name }) => name),
        );
        assert.deepEqual(
          read.rawInputContents.map((raw) => [...raw]),
          sent.rawInputContents.map((raw) => [...raw]),
        );
        for (const [i, { name, datatype, shape, contents }] of sent.inputs.entries()) {
          const input = read.inputs[i]!;
          assert.deepEqual([input.name, input.datatype, input.shape], [name, datatype, shape]);
          assert.deepEqual([...(input.contents?.ints ?? [])], contents.intContents);
          assert.deepEqual(
            [...(input.contents?.longs ?? [])],
            contents.int64Contents.map(narrowed),
          );
          assert.deepEqual([...(input.contents?.floats ?? [])], contents.fp32Contents);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("reads numbers that are not packed, and fields in any order and number of pieces", () => {
    // int64_contents = 3 as two single varints and a packed pair; int_contents = 2 single.
    const contents = Buffer.from([0x18, 5, 0x18, 0x80, 0x01, 0x1a, 2, 7, 9, 0x10, 3]);
    const input = Buffer.concat([Buffer.from([0x18, 4, 0x2a, contents.length]), contents]);
    const bytes = Buffer.concat([Buffer.from([0x2a, input.length]), input]);

    const read = decodeModelInferRequest(bytes).inputs[0]!;

    assert.deepEqual(read.shape, [4]);
    assert.deepEqual([...read.contents!.longs], [5, 128, 7, 9]);
    assert.deepEqual([...read.contents!.ints], [3]);
    assert.deepEqual(read.contents!.filled, ["int64_contents", "int_contents"]);
  });

  it("skips fields that the protocol does not have yet", () => {
    const known = encodeMessage({ modelName: "m", inputs: [] });
    // Field 99, a varint.
    const bytes = Buffer.concat([Buffer.from([0x98, 0x06, 1]), known]);

    assert.equal(decodeModelInferRequest(bytes).modelName, "m");
  });

  it("takes no more memory for ids than they have on the wire, times four", () => {
    const count = 1_000_000;
    const packed = Buffer.alloc(count, 1);
    const contents = Buffer.concat([Buffer.from([0x1a]), varint(count), packed]);
    const input = Buffer.concat([Buffer.from([0x2a]), varint(contents.length), contents]);
    const bytes = Buffer.concat([Buffer.from([0x2a]), varint(input.length), input]);

    const { longs } = decodeModelInferRequest(bytes).inputs[0]!.contents!;

    assert.equal(longs.buffer.byteLength, 4 * count);
  });
});

function narrowed(value: bigint): number {
  if (value >> 32n !== 0n) return OUT_OF_INT32;
  return Number(BigInt.asIntN(32, value));
}

/** protobufjs takes 64-bit numbers as text. */
function withLongsAsText(sent: typeof message extends fc.Arbitrary<infer T> ? T : never) {
  return {
    ...sent,
    inputs: sent.inputs.map(({ contents, ...input }) => ({
      ...input,
      contents: { ...contents, int64Contents: contents.int64Contents.map(String) },
    })),
  };
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}
