import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { PACKAGE_ROOT } from "../../lib/package-root.js";
import type { Random } from "../../lib/random.js";

/** What PyTorch's exporter wrote for facebookresearch/dlrm, its tables cut down to a few rows. */
export const EXPORTED_FILE = join(PACKAGE_ROOT, "test/golden/dlrm-exported.onnx");
export const EXPORTED_ROW_COUNTS = [50, 7, 300, 20, 20, 3, 40, 1];
export const EXPORTED_DIM = 32;
export const EXPORTED_DENSE_COUNT = 13;

/** One feature's bags. */
export interface ExportedBags {
  readonly lengths: readonly number[];
  readonly ids: readonly number[];
}

/** Row ids of every feature, bags from empty to five ids. */
export function randomBags(sampleCount: number, random: Random): ExportedBags[] {
  return EXPORTED_ROW_COUNTS.map((rowCount) => {
    const lengths = Array.from({ length: sampleCount }, () => random.nextBelow(6));
    const ids = lengths.flatMap((length) =>
      Array.from({ length }, () => random.nextBelow(rowCount)),
    );
    return { lengths, ids };
  });
}

/** The probabilities of the whole graph as it was exported. */
export async function runExported(
  dense: Float32Array,
  bags: readonly ExportedBags[],
): Promise<Float32Array> {
  const sampleCount = dense.length / EXPORTED_DENSE_COUNT;
  const session = await InferenceSession.create(EXPORTED_FILE, { logSeverityLevel: 3 });
  const offsets = bags.flatMap(({ lengths }) => {
    let end = 0;
    return lengths.map((length) => {
      end += length;
      return BigInt(end - length);
    });
  });
  const feeds: Record<string, Tensor> = {
    dense_x: new Tensor("float32", dense, [sampleCount, EXPORTED_DENSE_COUNT]),
    offsets: new Tensor("int64", BigInt64Array.from(offsets), [bags.length, sampleCount]),
  };
  for (const [k, { ids }] of bags.entries()) {
    const values = BigInt64Array.from(ids, (id) => BigInt(id));
    feeds[`indices_${k}`] = new Tensor("int64", values, [ids.length]);
  }
  const { pred } = await session.run(feeds);
  await session.release();
  return pred!.data as Float32Array;
}
