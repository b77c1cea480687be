import { type ModelManifest, pooledWidthOf } from "../../lib/model/manifest.js";
import type { ShardingPlan } from "../../lib/plan/plan.js";

/** Where a feature's pooled vector lies in a row of `pooled`, and what has to be done to it. */
export interface FeatureColumns {
  readonly columnOffset: number;
  readonly embeddingDim: number;
  readonly isMean: boolean;
  /** The table's rows are split, so that sums of several partitions are added. */
  readonly isAdded: boolean;
}

/** The `pooled` matrix of a model under a plan: `[B, width]`, features side by side in order. */
export interface PooledLayout {
  readonly width: number;
  readonly features: readonly FeatureColumns[];
}

/** Works out the layout once a plan. */
export function pooledLayoutOf(manifest: ModelManifest, plan: ShardingPlan): PooledLayout {
  const tables = new Map(manifest.tables.map((table) => [table.name, table]));
  const splitTables = new Set<string>();
  for (const { table, rowStart, rowEnd } of plan.partitions) {
    if (rowStart !== 0 || rowEnd !== tables.get(table)!.rowCount) splitTables.add(table);
  }
  let columnOffset = 0;
  const features = manifest.features.map(({ table, pooling }) => {
    const { embeddingDim } = tables.get(table)!;
    const columns = {
      columnOffset,
      embeddingDim,
      isMean: pooling === "mean",
      isAdded: splitTables.has(table),
    };
    columnOffset += embeddingDim;
    return columns;
  });
  return { width: pooledWidthOf(manifest), features };
}
