import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { openModel } from "../../../lib/model/model-directory.js";
import { referencePooled } from "../../../lib/model/reference-pooled.js";
import { startSingleProcess } from "../../../tools/bench/single-process.js";
import { InferenceClient } from "../../support/inference-client.js";
import { randomQuery } from "../../support/random-query.js";
import { tempFolder } from "../../support/temp-folder.js";
import { makeTinyModel, type TinyModelFiles } from "../../support/tiny-cluster.js";

describe("startSingleProcess()", () => {
  const folder = tempFolder();
  let files: TinyModelFiles;

  before(async () => {
    files = await makeTinyModel(folder, 2);
  });

  it("answers with the oracle's pooled sums, several queries at a time", async () => {
    const model = await openModel(files.modelDir);
    const server = await startSingleProcess({ ...files, grpcAddress: "127.0.0.1:0" });
    after(() => server.close());
    const client = new InferenceClient(server.address);
    after(() => client.close());

    await Promise.all(
      [1, 17, 64].map(async (sampleCount, seed) => {
        const { dense, batch } = randomQuery(model.manifest, sampleCount, seed);
        const outputs = ["probability", "pooled"] as const;
        const modelName = model.manifest.name;

        const answer = await client.infer({ modelName, dense, batch, outputs });

        const expected = referencePooled(model, batch).pooled;
        const pooled = answer.outputs.get("pooled")!;
        assert.equal(pooled.length, expected.length);
        let largest = 0;
        for (let i = 0; i < expected.length; i++) {
          largest = Math.max(largest, Math.abs(pooled[i]! - expected[i]!));
        }
        // Tables that the plan cut by rows may round otherwise in the last bit.
        assert.ok(largest < 1e-5, `differs by ${largest}`);
      }),
    );
  });

  it("refuses a folder without the plan's stores, and leaves nothing there", async () => {
    const storeDir = join(folder, "nowhere");

    await assert.rejects(startSingleProcess({ ...files, storeDir, grpcAddress: "127.0.0.1:0" }), {
      code: "FILE_NOT_FOUND",
    });

    assert.equal(existsSync(storeDir), false);
  });
});
