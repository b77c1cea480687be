import type { JaggedBatch } from "../../lib/jagged-batch.js";
import type { ModelManifest } from "../../lib/model/manifest.js";
import { Random } from "../../lib/random.js";

export interface RandomQuery {
  readonly dense: Float32Array;
  readonly batch: JaggedBatch;
}

/** Bags longer than this say nothing that shorter ones do not. */
const BAG_LENGTH_MAX = 12;

/**
 * A query with what goes wrong most: empty bags, repeated ids, and the first and the last row of
 * each table.
 */
export function randomQuery(
  manifest: ModelManifest,
  sampleCount: number,
  seed: number,
): RandomQuery {
  const random = new Random(seed, "query");
  const rowCounts = new Map(manifest.tables.map((table) => [table.name, table.rowCount]));
  const featureCount = manifest.features.length;
  const lengths = Int32Array.from({ length: featureCount * sampleCount }, () =>
    Math.max(0, random.nextBelow(BAG_LENGTH_MAX + 4) - 4),
  );
  const values: number[] = [];
  for (const [f, feature] of manifest.features.entries()) {
    const rowCount = rowCounts.get(feature.table)!;
    for (let b = 0; b < sampleCount; b++) {
      for (let i = 0; i < lengths[f * sampleCount + b]!; i++) {
        values.push(drawRow(random, rowCount, values.at(-1) ?? 0));
      }
    }
  }
  const dense = Float32Array.from({ length: sampleCount * manifest.denseFeatureCount }, () =>
    random.nextNormal(),
  );
  return { dense, batch: { featureCount, sampleCount, lengths, values: Int32Array.from(values) } };
}

function drawRow(random: Random, rowCount: number, previous: number): number {
  switch (random.nextBelow(8)) {
    case 0:
      return rowCount - 1;
    case 1:
      return 0;
    case 2:
      return previous % rowCount;
    default:
      return random.nextBelow(rowCount);
  }
}
