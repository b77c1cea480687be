import { type ModelManifest, parseManifest, tableFileOf } from "../../lib/model/manifest.js";

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
