import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { loadProto, serviceOf } from "../../../../lib/rpc/load-proto.js";
import { decodeInferReply } from "../../../../tools/bench/load/infer-reply.js";

const { ModelInfer } = serviceOf(
  loadProto("inference.proto"),
  "inference.GRPCInferenceService",
).service;

describe("decodeInferReply()", () => {
  it("reads what the protocol's own serialiser writes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true }), { maxLength: 40 }),
        fc.maxSafeInteger(),
        fc.string(),
        fc.boolean(),
        fc.boolean(),
        (scores, total, text, flag, logitFirst) => {
          const outputs = [{ name: "probability" }, { name: "logit" }];
          const contents = [Buffer.from(Float32Array.from(scores).buffer), Buffer.from("lo")];
          const bytes = encode({
            modelName: "m",
            modelVersion: "1",
            id: text,
            parameters: {
              total_us: { int64Param: total },
              note: { stringParam: text },
              degraded: { boolParam: flag },
              half: { doubleParam: 0.5 },
              many: { uint64Param: 2 ** 40 },
            },
            outputs: logitFirst ? outputs.toReversed() : outputs,
            rawOutputContents: logitFirst ? contents.toReversed() : contents,
          });

          const reply = decodeInferReply(bytes);

          assert.deepEqual(reply.probability, Float32Array.from(scores));
          assert.deepEqual(Object.fromEntries(reply.parameters), {
            total_us: total,
            note: text,
            degraded: flag,
            half: 0.5,
            many: 2 ** 40,
          });
        },
      ),
    );
  });

  it("gives no probabilities when the answer has none", () => {
    const bytes = encode({ outputs: [{ name: "logit" }], rawOutputContents: [Buffer.alloc(4)] });

    assert.equal(decodeInferReply(bytes).probability.length, 0);
  });

  it("refuses bytes that are no answer", () => {
    const bytes = encode({ outputs: [{ name: "probability" }] });

    assert.throws(() => decodeInferReply(bytes.subarray(0, -3)), { code: "REQUEST_INVALID" });
  });
});

function encode(message: object): Buffer {
  // The service in the test is the client's, whose answers have no serialiser typed for them.
  const serialize = ModelInfer!.responseSerialize as (value: object) => Buffer;
  return serialize(message);
}
