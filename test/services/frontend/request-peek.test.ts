import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { peekModelInferRequest } from "../../../services/frontend/request-peek.js";
import { encodeMessage, type InferMessage } from "../../support/infer-message.js";

const tensorBytes = fc.uint8Array({ maxLength: 200 });

/** Requests as clients write them: bags or single-hot ids, raw or typed contents. */
const requests = fc
  .record({
    sampleCount: fc.integer({ min: 1, max: 100_000 }),
    isSingleHot: fc.boolean(),
    isTyped: fc.boolean(),
    priority: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
    id: fc.string({ maxLength: 30 }),
    raw: fc.array(tensorBytes, { maxLength: 3 }),
  })
  .map(({ sampleCount, isSingleHot, isTyped, priority, id, raw }) => {
    const shapes: [string, number[]][] = isSingleHot
      ? [
          ["dense", [sampleCount, 2]],
          ["ids", [sampleCount, 3]],
        ]
      : [
          ["dense", [sampleCount, 2]],
          ["lengths", [3, sampleCount]],
          ["values", [10]],
        ];
    const message: InferMessage = {
      ...{ modelName: "test", modelVersion: "1", id },
      ...(priority !== undefined && { parameters: { priority: { int64Param: priority } } }),
      inputs: shapes.map(([name, shape]) => ({
        ...{ name, datatype: "INT32", shape },
        ...(isTyped && { contents: { intContents: [1, 2, 3] } }),
      })),
      ...(!isTyped && { rawInputContents: raw }),
    };
    return { message, sampleCount, priority };
  });

describe("peekModelInferRequest()", () => {
  it("reads samples and parameters of any beginning that holds them, and guesses nothing", () => {
    fc.assert(
      fc.property(requests, fc.double({ min: 0, max: 1, noNaN: true }), (request, share) => {
        const bytes = encodeMessage(request.message);
        const peeked = peekModelInferRequest(bytes.subarray(0, Math.floor(share * bytes.length)));
        if (peeked === undefined) return;
        assert.equal(peeked.sampleCount, request.sampleCount);
        assert.equal(peeked.modelName, "test");
        assert.equal(peeked.modelVersion, "1");
        assert.equal(peeked.parameters.get("priority"), request.priority);
      }),
    );
  });

  it("needs no byte of raw contents", () => {
    fc.assert(
      fc.property(requests, ({ message, sampleCount }) => {
        const { rawInputContents: _, ...head } = message;
        assert.equal(peekModelInferRequest(encodeMessage(head))?.sampleCount, sampleCount);
      }),
    );
  });

  it("finds nothing in what is no request", () => {
    fc.assert(
      fc.property(tensorBytes, (bytes) => {
        const peeked = peekModelInferRequest(bytes);
        assert.ok(peeked === undefined || peeked.sampleCount >= 0);
      }),
    );
  });
});
