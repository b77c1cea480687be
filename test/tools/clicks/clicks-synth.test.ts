import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { referenceForward } from "../../../lib/model/reference-forward.js";
import { readDenseWeights } from "../../../lib/onnx/dense-onnx-reader.js";
import { areaUnderCurve } from "../../../tools/clicks/auc.js";
import {
  buildJaggedBatch,
  type ClickBatch,
  openClickLog,
} from "../../../tools/clicks/click-log.js";
import { computeClickProbabilities } from "../../../tools/clicks/click-probabilities.js";
import { synthClicks } from "../../../tools/clicks/clicks-synth.js";
import { makeClickModel } from "../../support/click-models.js";
import { decodedTable } from "../../support/shard-model.js";
import { tempFolder } from "../../support/temp-folder.js";

const folder = tempFolder();
const model = await makeClickModel(join(folder, "model"), [
  { rowCount: 50, poolingFactor: 9 },
  { rowCount: 300, poolingFactor: 2.5 },
]);
const options = {
  ...{ model: model.dir, samples: 3000, profile: "zipf:1.05" },
  ...{ seed: 5, locality: 0.25, window: 100 },
};

async function synth(name: string, changes: Partial<typeof options> = {}): Promise<string> {
  const out = join(folder, name);
  await synthClicks({ ...options, ...changes, out });
  return out;
}

async function readFirst(path: string): Promise<ClickBatch> {
  const log = await openClickLog(path, { manifest: model.manifest });
  try {
    for await (const batch of log.batches()) return batch;
    throw new Error("no batch");
  } finally {
    await log.close();
  }
}

/** Probabilities by the definition: plain sums in order, then the slow oracle. */
function referenceProbabilities(batch: ClickBatch): Float32Array {
  const { lengths, values } = buildJaggedBatch(batch, 0, batch.sampleCount);
  const pooled = new Float32Array(batch.sampleCount * 8);
  const tables = ["t0", "t1"].map((table) => decodedTable(model, table));
  let at = 0;
  lengths.forEach((length, bag) => {
    const feature = Math.floor(bag / batch.sampleCount);
    const to = (bag % batch.sampleCount) * 8 + feature * 4;
    const table = tables[feature]!;
    for (const end = at + length; at < end; at++) {
      for (let c = 0; c < 4; c++) pooled[to + c]! += table[values[at]! * 4 + c]!;
    }
  });
  const weights = readDenseWeights(readFileSync(model.densePath));
  return referenceForward(weights, batch.dense, pooled, batch.sampleCount).probability;
}

describe("clicks synth", () => {
  it("draws labels from the model's own probability", async () => {
    const batch = await readFirst(await synth("labels.arrow", { samples: 300 }));

    const probabilities = await computeClickProbabilities(model, batch);

    const reference = referenceProbabilities(batch);
    probabilities.forEach((probability, i) => {
      assert.ok(Math.abs(probability - reference[i]!) < 1e-4, `${probability}, ${reference[i]}`);
    });
    const expected = reference.reduce((sum, probability) => sum + probability, 0);
    const variance = reference.reduce((sum, p) => sum + p * (1 - p), 0);
    const clicks = batch.labels.reduce((sum, label) => sum + label, 0);
    assert.ok(Math.abs(clicks - expected) < 5 * Math.sqrt(variance), `${clicks}, ${expected}`);
  });

  it("states the best AUC that labels allow", async () => {
    const log = await openClickLog(await synth("ceiling.arrow"));
    await log.close();
    const batch = await readFirst(log.path);
    const ceiling = areaUnderCurve(await computeClickProbabilities(model, batch), batch.labels);

    assert.equal(log.header.aucCeiling, ceiling);
    assert.ok(ceiling > 0.6 && ceiling <= 1, `${ceiling}`);
  });

  it("says in the log how it was made", async () => {
    const log = await openClickLog(await synth("header.arrow"));
    await log.close();

    const { aucCeiling: _, ...header } = log.header;
    assert.deepEqual(header, {
      model: { name: "test", version: "1", hash: model.hash },
      ...{ profile: "zipf:1.05", seed: 5, locality: 0.25, windowSamples: 100 },
    });
  });

  it("writes the same bytes for the same seed", async () => {
    const one = readFileSync(await synth("one.arrow"));
    const two = readFileSync(await synth("two.arrow"));
    const other = readFileSync(await synth("other.arrow", { seed: 6 }));

    assert.ok(one.equals(two));
    assert.ok(!one.equals(other));
  });

  it("leaves no file when the profile cannot be had", async () => {
    const synthesis = synth("refused.arrow", { profile: "meta-2021", samples: 100_000 });

    await assert.rejects(synthesis, { code: "CLICKS_INVALID" });
    assert.equal(existsSync(join(folder, "refused.arrow")), false);
  });
});
