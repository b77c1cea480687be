import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { JaggedBatch } from "../../lib/jagged-batch.js";
import { type Model, openModel } from "../../lib/model/model-directory.js";
import { Random } from "../../lib/random.js";
import { assertClose } from "../support/assert-close.js";
import {
  EXPORTED_DENSE_COUNT,
  EXPORTED_FILE,
  randomBags,
  runExported,
} from "../support/exported-model.js";
import { readGoldenVariant } from "../support/golden-variant.js";
import { goldenStateFile, importPlain } from "../support/import-sources.js";
import { servePlan } from "../support/served-plan.js";
import { splitPlan } from "../support/split-plan.js";
import { tempFolder } from "../support/temp-folder.js";

/** Shards, and into how many ranges of rows each table is split. */
const CUTS = [
  [1, 1],
  [3, 2],
  [5, 3],
] as const;

describe("an imported model, served", () => {
  const folder = tempFolder();

  for (const interaction of ["dot", "cat"] as const) {
    it(`answers as PyTorch recorded for the ${interaction} variant, under any plan`, async () => {
      const golden = await readGoldenVariant(interaction);
      const modelDir = join(folder, interaction);
      await importPlain(goldenStateFile(interaction), modelDir);

      for (const cut of CUTS) {
        const answer = await served(modelDir, cut, golden.dense, golden.batch);
        assertClose(answer.probability, golden.probability, 1e-6);
        assertClose(answer.pooled, golden.pooled, 1e-6);
      }
    });
  }

  it("answers as the whole exported graph does, under plans that split columns too", async () => {
    const random = new Random(5, "exported");
    const sampleCount = 40;
    const bags = randomBags(sampleCount, random);
    const length = sampleCount * EXPORTED_DENSE_COUNT;
    const dense = Float32Array.from({ length }, () => random.nextNormal());
    const expected = await runExported(dense, bags);
    const modelDir = join(folder, "exported");
    await importPlain(EXPORTED_FILE, modelDir);

    const batch: JaggedBatch = {
      featureCount: bags.length,
      sampleCount,
      lengths: Int32Array.from(bags.flatMap((bag) => bag.lengths)),
      values: Int32Array.from(bags.flatMap(({ ids }) => ids)),
    };
    for (const cut of CUTS) {
      const { probability } = await served(modelDir, cut, dense, batch);
      assertClose(probability, expected, 1e-6);
    }
  });

  /** Serves a model under a plan of its own and asks it once. */
  async function served(
    modelDir: string,
    [shardCount, rowParts]: readonly [number, number],
    dense: Float32Array,
    batch: JaggedBatch,
  ) {
    const model: Model = await openModel(modelDir);
    const plan = splitPlan(model, shardCount, rowParts);
    assert.equal(new Set(plan.partitions.flatMap(({ shards }) => shards)).size, shardCount);
    const cluster = await servePlan(tempFolder(), modelDir, plan);
    try {
      const outputs = ["probability", "pooled"] as const;
      const answer = await cluster.client.infer({ modelName: "imported", dense, batch, outputs });
      return {
        probability: answer.outputs.get("probability")!,
        pooled: answer.outputs.get("pooled")!,
      };
    } finally {
      await cluster.close();
    }
  }
});
