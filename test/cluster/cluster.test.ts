import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import { type Model, openModel } from "../../lib/model/model-directory.js";
import { referenceForward } from "../../lib/model/reference-forward.js";
import { referencePooled } from "../../lib/model/reference-pooled.js";
import { readDenseWeights } from "../../lib/onnx/dense-onnx-reader.js";
import { storeFileOf } from "../../tools/cluster/build-stores.js";
import type { LocalCluster } from "../../tools/cluster/local-cluster.js";
import { startServiceProcess } from "../../tools/cluster/service-process.js";
import { absoluteSums } from "../support/absolute-sums.js";
import { InferenceClient } from "../support/inference-client.js";
import { randomQuery } from "../support/random-query.js";
import { tempFolder } from "../support/temp-folder.js";
import { makeTinyModel, startTinyCluster, type TinyModelFiles } from "../support/tiny-cluster.js";
import { isRunning, waitFor } from "../support/wait-for.js";

/** DESIGN's bound between a served probability and the oracle's, absolute. */
const PROBABILITY_TOLERANCE = 1e-6;

describe("a cluster of real processes", () => {
  const folder = tempFolder();
  let files: TinyModelFiles;
  let cluster: LocalCluster;
  let client: InferenceClient;
  let model: Model;

  before(async () => {
    files = await makeTinyModel(folder, 3);
    model = await openModel(files.modelDir);
    cluster = await startTinyCluster(files);
    client = new InferenceClient(cluster.frontend.ready.address);
  });

  after(async () => {
    client?.close();
    await cluster?.stop();
    const left = [cluster.frontend, ...cluster.shards].filter(({ pid }) => isRunning(pid));
    assert.deepEqual(left, []);
  });

  it("answers as the oracle does, whatever the batch size", async () => {
    const weights = readDenseWeights(readFileSync(model.densePath));
    for (const [seed, sampleCount] of [1, 2, 17, 128].entries()) {
      const { dense, batch } = randomQuery(model.manifest, sampleCount, seed);
      const outputs = ["probability", "pooled"] as const;

      const answer = await client.infer({ modelName: model.manifest.name, dense, batch, outputs });

      const pooled = referencePooled(model, batch).pooled;
      const expected = referenceForward(weights, dense, pooled, sampleCount).probability;
      assertPooled(answer.outputs.get("pooled")!, pooled, absoluteSums(model, batch));
      assertClose(answer.outputs.get("probability")!, expected);
    }
  });

  it("names a killed shard at once, and recovers when it is back", async () => {
    const { dense, batch } = randomQuery(model.manifest, 8, 1);
    const ask = () => client.infer({ modelName: model.manifest.name, dense, batch });
    const victim = cluster.shards[1]!;
    const { address } = victim.ready;

    process.kill(victim.pid, "SIGKILL");
    await victim.ended;
    await assert.rejects(ask, (error: { code: status; details: string }) => {
      assert.equal(error.code, status.UNAVAILABLE);
      assert.match(error.details, /SHARD_UNAVAILABLE.*shard-1/);
      return true;
    });

    const successor = await startServiceProcess({
      name: "shard-1",
      args: [
        ...["shard", "serve", "--store", storeFileOf(files.storeDir, "shard-1")],
        ...["--plan", files.planFile, "--shard", "shard-1", "--listen", address],
      ],
      logFile: `${files.logDir}/shard-1-again.log`,
      startTimeoutMs: 20_000,
    });
    try {
      await waitFor("recovery", () =>
        ask().then(
          () => true,
          () => false,
        ),
      );
    } finally {
      await successor.stop(5000);
    }
  });
});

/** A bag that a plan splits by rows is added in another order; everything else is bit-exact. */
function assertPooled(actual: Float32Array, expected: Float32Array, sums: Float64Array): void {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < actual.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    assert.ok(difference <= 1e-6 * sums[i]!, `value ${i}: ${actual[i]} for ${expected[i]}`);
  }
}

function assertClose(actual: Float32Array, expected: Float32Array): void {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < actual.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    assert.ok(difference <= PROBABILITY_TOLERANCE, `sample ${i}: ${actual[i]} for ${expected[i]}`);
  }
}
