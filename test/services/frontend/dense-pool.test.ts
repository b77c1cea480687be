import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { type ServiceError, status } from "@grpc/grpc-js";
import type { Model } from "../../../lib/model/model-directory.js";
import { ERROR_CODE_TRAILER } from "../../../lib/rpc/grpc-status.js";
import { deathsFileOf } from "../../support/mortal-dense-worker.js";
import { policyPlan, writePolicyModel } from "../../support/policy-model.js";
import { type ServedPlan, servePlan } from "../../support/served-plan.js";
import { tempFolder } from "../../support/temp-folder.js";

describe("a dense worker that dies with a batch", () => {
  const folder = tempFolder();
  let served: ServedPlan;
  let model: Model;
  let askGolden: () => Promise<Float32Array>;

  before(async () => {
    model = await writePolicyModel(folder);
    const workerUrl = new URL("../../support/mortal-dense-worker.js", import.meta.url);
    served = await servePlan(
      ...([folder, model.dir, policyPlan(model), { denseWorkerCount: 1 }] as const),
      { denseWorkerUrl: workerUrl },
    );
    const { denseFeatures: dense, batch } = await model.readGolden();
    askGolden = async () => {
      const query = { modelName: model.manifest.name, dense, batch };
      return (await served.client.infer(query)).outputs.get("probability")!;
    };
  });

  after(() => served?.close());

  it("is replaced, and the batch is done again", async () => {
    const expected = await askGolden();
    tellDeaths(1);

    assert.deepEqual(await askGolden(), expected);

    assert.equal(deathsLeft(), 0);
  });

  it("fails the batch by its code when the second try dies too, and the next one is answered", async () => {
    const expected = await askGolden();
    tellDeaths(2);

    await assert.rejects(askGolden(), (error: ServiceError) => {
      assert.equal(error.metadata.get(ERROR_CODE_TRAILER)[0], "PROCESS_FAILED");
      assert.notEqual(error.code, status.OK);
      assert.match(error.details, /a dense worker ended unexpectedly/);
      return true;
    });

    assert.equal(deathsLeft(), 0);
    assert.deepEqual(await askGolden(), expected);
  });

  it("takes no other query along", async () => {
    const expected = await askGolden();
    tellDeaths(1);

    const answers = await Promise.all(Array.from({ length: 20 }, () => askGolden()));

    for (const answer of answers) assert.deepEqual(answer, expected);
  });

  function tellDeaths(count: number): void {
    writeFileSync(deathsFileOf(model.densePath), String(count));
  }

  function deathsLeft(): number {
    return Number(readFileSync(deathsFileOf(model.densePath), "utf8"));
  }
});
