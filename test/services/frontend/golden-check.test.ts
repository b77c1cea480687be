import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { GoldenRequests } from "../../../lib/model/golden.js";
import type { Model } from "../../../lib/model/model-directory.js";
import { assertGoldenAnswers } from "../../../services/frontend/golden-check.js";
import { pooledLayoutOf } from "../../../services/frontend/pooled-layout.js";
import { policyPlan, writePolicyModel } from "../../support/policy-model.js";
import { tempFolder } from "../../support/temp-folder.js";

/** Columns of `pooled`: features `strict` and `filled` of a whole table, `skipped` of one cut by rows. */
const WHOLE_COLUMN = 0;
const SPLIT_COLUMN = 8;

describe("assertGoldenAnswers()", () => {
  const folder = tempFolder();
  let model: Model;
  let golden: GoldenRequests;
  let released: number;

  beforeEach(async () => {
    model ??= await writePolicyModel(folder);
    golden = await model.readGolden();
    released = 0;
  });

  it("takes what was recorded", async () => {
    await check(golden.pooled.slice(), golden.probability.slice());

    assert.equal(released, 1);
  });

  it("wants bags that are summed in one place to the bit", async () => {
    const pooled = golden.pooled.slice();
    pooled[WHOLE_COLUMN] = nextFloat(pooled[WHOLE_COLUMN]!);

    await assert.rejects(check(pooled, golden.probability.slice()), {
      code: "GOLDEN_MISMATCH",
      message: /golden sample 0, pooled of feature strict/,
    });
    assert.equal(released, 1);
  });

  it("allows a bag that is split by rows its rounding, and no wrong row", async () => {
    const rounded = golden.pooled.slice();
    rounded[SPLIT_COLUMN] = nextFloat(rounded[SPLIT_COLUMN]!);
    await check(rounded, golden.probability.slice());

    const wrong = golden.pooled.slice();
    wrong[SPLIT_COLUMN]! += 0.01;
    await assert.rejects(check(wrong, golden.probability.slice()), {
      code: "GOLDEN_MISMATCH",
      message: /golden sample 0, pooled of feature skipped/,
    });
  });

  it("wants probabilities within the model's tolerance", async () => {
    const probability = golden.probability.slice();
    probability[2]! += 2e-6;

    await assert.rejects(check(golden.pooled.slice(), probability), {
      code: "GOLDEN_MISMATCH",
      message: /golden sample 2: served/,
    });
  });

  function check(pooled: Float32Array, probability: Float32Array): Promise<void> {
    const cost = {
      ...{ networkUs: 0, shardQueueUs: 0, memoryUs: 0, ssdUs: 0, poolUs: 0 },
      ...{ rowsHit: 0, rowsMissed: 0, blocksRead: 0, shards: [] },
    };
    const prediction = {
      ...{ probability, pooled, cost, denseWaitUs: 0, denseUs: 0 },
      release: () => void released++,
    };
    return assertGoldenAnswers({
      predictor: {
        predict: () => ({ result: Promise.resolve(prediction), abandon: () => {} }),
      },
      golden,
      manifest: model.manifest,
      layout: pooledLayoutOf(model.manifest, policyPlan(model)),
      deadlineAt: Number.POSITIVE_INFINITY,
    });
  }
});

/** The float32 after `value`, away from zero. */
function nextFloat(value: number): number {
  const float = Float32Array.of(value);
  new Int32Array(float.buffer)[0]!++;
  return float[0]!;
}
