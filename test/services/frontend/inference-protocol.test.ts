import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { credentials, type ServiceError, status } from "@grpc/grpc-js";
import type { GoldenRequests } from "../../../lib/model/golden.js";
import { fetchHealth } from "../../../lib/rpc/health-client.js";
import { loadProto, serviceOf } from "../../../lib/rpc/load-proto.js";
import {
  goldenMessage,
  type InferMessage,
  outputOf,
  RawInferClient,
  rawBytes,
} from "../../support/infer-message.js";
import { policyPlan, writePolicyModel } from "../../support/policy-model.js";
import { type ServedPlan, servePlan } from "../../support/served-plan.js";
import { tempFolder } from "../../support/temp-folder.js";

describe("the gRPC Open Inference Protocol", () => {
  const folder = tempFolder();
  let served: ServedPlan;
  let golden: GoldenRequests;
  let client: RawInferClient;

  before(async () => {
    const model = await writePolicyModel(folder);
    golden = await model.readGolden();
    served = await servePlan(folder, `${folder}/policy-model`, policyPlan(model));
    client = new RawInferClient(served.frontend.address);
  });

  after(async () => {
    client?.close();
    await served?.close();
  });

  for (const form of ["raw", "typed"] as const) {
    for (const idType of ["INT64", "INT32"] as const) {
      it(`answers the golden requests from ${form} contents with ${idType} ids`, async () => {
        const message = goldenMessage(golden, form, idType);
        message.id = "my-id";
        message.outputs = [{ name: "pooled" }, { name: "probability" }, { name: "logit" }];

        const reply = await client.infer(message);

        assert.equal(reply.id, "my-id");
        assert.equal(reply.modelName, "test");
        assert.equal(reply.modelVersion, "1");
        assert.deepEqual(
          reply.outputs.map(({ name, datatype, shape }) => [name, datatype, shape]),
          [
            ["pooled", "FP32", [3, 12]],
            ["probability", "FP32", [3, 1]],
            ["logit", "FP32", [3, 1]],
          ],
        );
        assert.equal(reply.rawOutputContents.length, form === "raw" ? 3 : 0);
        assertNear(outputOf(reply, "probability"), golden.probability);
        assertNear(outputOf(reply, "logit"), golden.logit!);
        assertNear(outputOf(reply, "pooled"), golden.pooled);
        assert.equal(reply.parameters["plan_epoch"]!["int64Param"], 1);
        assert.equal(reply.parameters["default_rows"]!["int64Param"], 0);
        assert.equal(reply.parameters["degraded"]!["boolParam"], false);
      });
    }
  }

  it("takes ids [B, F] for one id a bag", async () => {
    // strict, filled, skipped of two samples.
    const ids = [19, 3, 29, 0, 5, 7];
    const dense = golden.denseFeatures.slice(0, 4);
    const asIds: InferMessage = {
      modelName: "test",
      inputs: [
        { name: "dense", datatype: "FP32", shape: [2, 2] },
        { name: "ids", datatype: "INT64", shape: [2, 3] },
      ],
      rawInputContents: [rawBytes("FP32", dense), rawBytes("INT64", ids)],
    };
    const asBags: InferMessage = {
      modelName: "test",
      inputs: [
        { name: "dense", datatype: "FP32", shape: [2, 2] },
        { name: "lengths", datatype: "INT32", shape: [3, 2] },
        { name: "values", datatype: "INT32", shape: [6] },
      ],
      rawInputContents: [
        rawBytes("FP32", dense),
        rawBytes("INT32", [1, 1, 1, 1, 1, 1]),
        rawBytes("INT32", [19, 0, 3, 5, 29, 7]),
      ],
    };

    const [first, second] = [await client.infer(asIds), await client.infer(asBags)];

    assert.deepEqual(outputOf(first, "probability"), outputOf(second, "probability"));
  });

  it("treats ids out of range as each feature's policy says", async () => {
    const outOfRange = { strict: 0, filled: 5_000_000_000, skipped: -1 };
    const message = goldenMessage(golden, "raw");
    // One sample; `filled` falls back to row 3, `skipped` to an empty bag.
    const ask = (ids: readonly number[], lengths: readonly number[]) => {
      message.inputs[0]!.shape = [1, 2];
      message.inputs[1]!.shape = [3, 1];
      message.inputs[2]!.shape = [ids.length];
      message.rawInputContents = [
        rawBytes("FP32", [0.5, -0.5]),
        rawBytes("INT32", lengths),
        rawBytes("INT64", ids),
      ];
      return client.infer(message);
    };

    const reply = await ask([0, outOfRange.filled, outOfRange.skipped], [1, 1, 1]);
    const same = await ask([0, 3], [1, 1, 0]);

    assert.equal(reply.parameters["default_rows"]!["int64Param"], 2);
    assert.equal(same.parameters["default_rows"]!["int64Param"], 0);
    assert.deepEqual(outputOf(reply, "probability"), outputOf(same, "probability"));
  });

  it("describes server, model, inputs and outputs", async () => {
    const server = await call("ServerMetadata", {});
    const model = await call("ModelMetadata", { name: "test" });

    assert.equal(server["name"], "shardpool");
    assert.ok((server["extensions"] as string[]).includes("statistics"));
    assert.deepEqual(model, {
      name: "test",
      versions: ["1"],
      platform: "shardpool_dlrm",
      inputs: [
        { name: "dense", datatype: "FP32", shape: ["-1", "2"] },
        { name: "lengths", datatype: "INT32", shape: ["3", "-1"] },
        { name: "values", datatype: "INT64", shape: ["-1"] },
        { name: "weights", datatype: "FP32", shape: ["-1"] },
        { name: "ids", datatype: "INT64", shape: ["-1", "3"] },
      ],
      outputs: [
        { name: "probability", datatype: "FP32", shape: ["-1", "1"] },
        { name: "logit", datatype: "FP32", shape: ["-1", "1"] },
        { name: "pooled", datatype: "FP32", shape: ["-1", "12"] },
      ],
    });
    await assert.rejects(call("ModelMetadata", { name: "other" }), { code: status.NOT_FOUND });
  });

  it("is live and ready, and so says grpc.health.v1 of each service", async () => {
    assert.deepEqual(await call("ServerLive", {}), { live: true });
    assert.deepEqual(await call("ServerReady", {}), { ready: true });
    assert.deepEqual(await call("ModelReady", { name: "test", version: "1" }), { ready: true });
    for (const service of ["", "inference.GRPCInferenceService", "test"]) {
      const health = await fetchHealth(served.frontend.address, { service, timeoutMs: 5000 });
      assert.equal(health, "SERVING", service);
    }
  });

  it("keeps Triton's statistics", async () => {
    const read = async () =>
      ((await call("ModelStatistics", { name: "test" }))["modelStats"] as WireStatistics[])[0]!;
    const before = await read();

    await client.infer(goldenMessage(golden, "raw"));
    await assert.rejects(client.infer({ ...goldenMessage(golden, "raw"), modelName: "other" }));

    const after = await read();
    assert.equal(Number(after.inferenceCount) - Number(before.inferenceCount), 3);
    assert.equal(Number(after.executionCount) - Number(before.executionCount), 1);
    const stats = after.inferenceStats;
    const statsBefore = before.inferenceStats;
    for (const name of ["success", "fail", "queue", "computeInput", "computeInfer"]) {
      assert.equal(Number(stats[name]!.count) - Number(statsBefore[name]!.count), 1, name);
    }
    assert.ok(Number(stats["computeInfer"]!.ns) > Number(statsBefore["computeInfer"]!.ns));
    assert.ok(after.batchStats.some(({ batchSize }) => batchSize === "3"));
  });

  function call(method: string, request: object): Promise<Record<string, unknown>> {
    const Service = serviceOf(loadProto("inference.proto"), "inference.GRPCInferenceService");
    const stub = new Service(served.frontend.address, credentials.createInsecure());
    return new Promise((resolve, reject) => {
      const callMethod = (stub as unknown as Record<string, StubMethod>)[method]!;
      callMethod.call(stub, request, (error, reply) => {
        stub.close();
        if (error) reject(error);
        else resolve(reply!);
      });
    });
  }
});

interface WireStatistics {
  readonly inferenceCount: string;
  readonly executionCount: string;
  readonly inferenceStats: Readonly<
    Record<string, { readonly count: string; readonly ns: string }>
  >;
  readonly batchStats: readonly { readonly batchSize: string }[];
}

type StubMethod = (
  request: object,
  callback: (error: ServiceError | null, reply?: Record<string, unknown>) => void,
) => void;

function assertNear(actual: Float32Array, expected: Float32Array): void {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < actual.length; i++) {
    assert.ok(Math.abs(actual[i]! - expected[i]!) <= 1e-5, `${i}: ${actual[i]}, ${expected[i]}`);
  }
}
