import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { encodeInferRequest } from "../../../tools/bench/load/infer-request.js";
import { runLatencyBench } from "../../../tools/bench/load/run-latency-bench.js";
import { readSampleCount, startNullServer } from "../../../tools/bench/null-server.js";
import { writeBenchLog } from "../../support/bench-log.js";
import { tempFolder } from "../../support/temp-folder.js";

describe("startNullServer()", () => {
  it("answers one zero a sample, whatever the query's size", async () => {
    const files = await writeBenchLog(tempFolder(), { queryCount: 10, samplesPerQuery: 300 });
    const server = await startNullServer("127.0.0.1:0");
    after(() => server.close(0));

    const result = await runLatencyBench({
      ...{ ...files, target: server.address, qps: 100, seconds: 0.2, warmupSeconds: 0 },
    });

    // An answer of another size would count as ANSWER_INVALID.
    assert.deepEqual(result.errorsByCode, {});
    assert.equal(result.answeredCount, 20);
    assert.equal(result.auc?.served, 0.5);
  });

  it("reads the sample count off any encoded query", () => {
    for (const sampleCount of [1, 127, 128, 700]) {
      const request = encodeInferRequest(
        {
          sampleCount,
          dense: new Float32Array(sampleCount * 3),
          labels: new Uint8Array(sampleCount),
          bags: {
            featureCount: 2,
            sampleCount,
            lengths: new Int32Array(sampleCount * 2),
            values: new Int32Array(0),
          },
        },
        { modelName: "m", modelVersion: "1", timings: true },
      );

      assert.equal(readSampleCount(request), sampleCount);
    }
  });
});
