import { type ModelManifest, parseManifest, tableFileOf } from "../../lib/model/manifest.js";
import { type Model, openModel } from "../../lib/model/model-directory.js";
import { writeModel } from "../../lib/model/model-writer.js";
import { writeDenseOnnx } from "../../lib/onnx/dense-onnx-writer.js";
import { Random } from "../../lib/random.js";
import { normalValues, randomWeights } from "./random-weights.js";

export interface TestTable {
  readonly rowCount: number;
  /** Row ids a sample of its feature, 1 unless told. */
  readonly poolingFactor?: number;
  readonly embeddingDim?: number;
}

/** A manifest with one feature `f<i>` on each table `t<i>`; its files are named and not there. */
export function testManifest(
  tables: readonly TestTable[],
  denseFeatureCount = 2,
  name = "test",
): ModelManifest {
  const file = { sha256: "0".repeat(64), bytes: 0 };
  const paths = ["dense.onnx", "golden.npz", ...tables.map((_, i) => tableFileOf(`t${i}`))];
  return parseManifest({
    formatVersion: 1,
    name,
    version: "1",
    denseFeatureCount,
    tables: tables.map(({ rowCount, embeddingDim = 4 }, i) => ({
      name: `t${i}`,
      rowCount,
      embeddingDim,
      dtype: "float32",
    })),
    features: tables.map(({ poolingFactor = 1 }, i) => ({
      name: `f${i}`,
      table: `t${i}`,
      pooling: "sum",
      outOfRange: "error",
      poolingFactor,
    })),
    interaction: "dot",
    tolerance: 1e-6,
    files: Object.fromEntries(paths.map((path) => [path, file])),
  });
}

/** A model directory in `dir` with the tables of {@link testManifest}, whose dense part works. */
export async function makeClickModel(
  dir: string,
  tables: readonly TestTable[],
  seed = 1,
): Promise<Model> {
  const { formatVersion: _, files: __, ...description } = testManifest(tables);
  const dims = description.tables.map((table) => table.embeddingDim);
  const weights = randomWeights(
    {
      interaction: "dot",
      denseFeatureCount: description.denseFeatureCount,
      embeddingDims: dims,
      bottomHidden: [8],
      topHidden: [8],
    },
    seed,
  );
  await writeModel(dir, description, async (writer) => {
    for (const table of description.tables) {
      const rows = await writer.createTable(table.name);
      const random = new Random(seed, table.name);
      const values = normalValues(table.rowCount * table.embeddingDim, 1, random);
      await rows.append(new Uint8Array(values.buffer));
      await rows.finish();
    }
    await writer.writeDense(writeDenseOnnx(weights));
    const featureCount = tables.length;
    await writer.writeGolden({
      sampleCount: 1,
      denseFeatures: new Float32Array(description.denseFeatureCount),
      batch: {
        featureCount,
        sampleCount: 1,
        lengths: new Int32Array(featureCount),
        values: new Int32Array(0),
      },
      pooled: new Float32Array(dims.reduce((sum, dim) => sum + dim, 0)),
      probability: new Float32Array(1),
    });
  });
  return await openModel(dir);
}

const MLPERF_ROW_COUNTS = [
  40000000, 39060, 17295, 7424, 20265, 3, 7122, 1543, 63, 40000000, 3067956, 405282, 10, 2209,
  11938, 155, 4, 976, 14, 40000000, 40000000, 40000000, 590152, 12973, 108, 36,
];
const MLPERF_POOLING_FACTORS = [
  3, 2, 1, 2, 6, 1, 1, 1, 1, 7, 3, 8, 1, 6, 9, 5, 1, 1, 1, 12, 100, 27, 10, 3, 1, 1,
];

/** The tables of MLPerf's DLRM-v2, 214 row ids a sample. */
export const MLPERF_TABLES = MLPERF_ROW_COUNTS.map((rowCount, i) => ({
  rowCount,
  poolingFactor: MLPERF_POOLING_FACTORS[i]!,
}));

/** The same tables with a share of their rows, none below three. */
export function scaledMlperfTables(scale: number): (TestTable & { rowCount: number })[] {
  return MLPERF_TABLES.map(({ rowCount, poolingFactor }) => ({
    rowCount: Math.max(3, Math.round(rowCount * scale)),
    poolingFactor,
  }));
}
