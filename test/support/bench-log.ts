import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hashManifest, type ModelManifest, parseManifest } from "../../lib/model/manifest.js";
import { Random } from "../../lib/random.js";
import { type ClickBatch, clickLogShapeOf, writeClickLog } from "../../tools/clicks/click-log.js";

export const ROW_COUNT = 1000;

const FILE = { sha256: "0".repeat(64), bytes: 0 };

/** A model of one single-hot and one multi-hot feature, of which only the manifest exists. */
export function tinyManifest(): ModelManifest {
  return parseManifest({
    formatVersion: 1,
    name: "tiny",
    version: "1",
    denseFeatureCount: 2,
    tables: ["a", "b"].map((name) => ({
      name,
      rowCount: ROW_COUNT,
      embeddingDim: 4,
      dtype: "float32",
    })),
    features: ["a", "b"].map((name) => ({
      name,
      table: name,
      pooling: "sum",
      outOfRange: "error",
    })),
    interaction: "dot",
    tolerance: 1e-5,
    files: Object.fromEntries(
      ["dense.onnx", "golden.npz", "tables/a.npy", "tables/b.npy"].map((name) => [name, FILE]),
    ),
  });
}

/**
 * Writes `model/model.json` and `clicks.arrow`. Feature a has one id a sample, and the label is 1
 * when that id is in the upper half of the table: whoever scores by that id has AUC 1.
 */
export async function writeBenchLog(
  folder: string,
  { queryCount = 40, samplesPerQuery = 5 } = {},
): Promise<{ readonly modelDir: string; readonly clicksFile: string }> {
  const manifest = tinyManifest();
  const modelDir = join(folder, "model");
  mkdirSync(modelDir, { recursive: true });
  writeFileSync(join(modelDir, "model.json"), JSON.stringify(manifest));
  const clicksFile = join(folder, "clicks.arrow");
  const header = {
    model: { name: manifest.name, version: manifest.version, hash: hashManifest(manifest) },
    aucCeiling: 1,
  };
  await writeClickLog(clicksFile, clickLogShapeOf(manifest), header, (writer) =>
    writer.write(clickBatch(queryCount, samplesPerQuery)),
  );
  return { modelDir, clicksFile };
}

export function clickBatch(queryCount: number, samplesPerQuery: number): ClickBatch {
  const random = new Random(1, "bench log");
  const sampleCount = queryCount * samplesPerQuery;
  const firstIds = Int32Array.from({ length: sampleCount }, () => random.nextBelow(ROW_COUNT));
  const bagLengths = Array.from({ length: sampleCount }, () => random.nextBelow(4));
  const offsets = new Int32Array(sampleCount + 1);
  bagLengths.forEach((length, i) => {
    offsets[i + 1] = offsets[i]! + length;
  });
  return {
    sampleCount,
    queries: Int32Array.from(firstIds, (_, i) => Math.floor(i / samplesPerQuery)),
    timestampsMs: new Float64Array(sampleCount),
    labels: Uint8Array.from(firstIds, (id) => (id >= ROW_COUNT / 2 ? 1 : 0)),
    dense: new Float32Array(sampleCount * 2),
    features: [
      { offsets: Int32Array.from({ length: sampleCount + 1 }, (_, i) => i), rowIds: firstIds },
      {
        offsets,
        rowIds: Int32Array.from({ length: offsets[sampleCount]! }, () =>
          random.nextBelow(ROW_COUNT),
        ),
      },
    ],
  };
}
