import { ShardpoolError } from "../../../lib/errors.js";
import type { ModelFeature } from "../../../lib/model/manifest.js";

/** A sparse feature as the importer knows it, in the order of `pooled`. */
export type ImportFeature = Pick<ModelFeature, "name" | "table" | "pooling">;

/** Where features come from: named by the user, or one a table. */
export interface FeatureFlags {
  /** `NAME=TABLE` or `NAME=TABLE:POOLING`, in the order in which the interaction takes them. */
  readonly feature: readonly string[];
  readonly pooling: ModelFeature["pooling"];
}

const FEATURE_FLAG = /^([^=:]+)=([^=:]+)(?::(sum|mean))?$/;

/**
 * The features over a model's tables: those of the flags, else one a table, in the tables' order.
 *
 * @throws ShardpoolError CONFIG_INVALID for a flag that cannot be read, MODEL_INVALID when a feature's
 * table is not there or a table has no feature.
 */
export function importFeatures(
  tableNames: readonly string[],
  { feature: flags, pooling }: FeatureFlags,
): ImportFeature[] {
  if (flags.length === 0) {
    return tableNames.map((table) => ({
      name: table.replace(/^table_/, "feature_"),
      table,
      pooling,
    }));
  }
  const features = flags.map((flag) => parseFeatureFlag(flag, pooling));
  const missing = features.find(({ table }) => !tableNames.includes(table));
  if (missing !== undefined) {
    throw new ShardpoolError(
      "MODEL_INVALID",
      `--feature ${missing.name}: no table ${missing.table}; there are ${tableNames.join(", ")}`,
    );
  }
  const unread = tableNames.find((name) => !features.some(({ table }) => table === name));
  if (unread !== undefined) {
    throw new ShardpoolError("MODEL_INVALID", `--feature: no feature reads table ${unread}`);
  }
  return features;
}

function parseFeatureFlag(flag: string, otherwise: ModelFeature["pooling"]): ImportFeature {
  const [, name, table, pooling = otherwise] = FEATURE_FLAG.exec(flag) ?? [];
  if (name === undefined || table === undefined) {
    throw new ShardpoolError(
      "CONFIG_INVALID",
      `--feature ${flag} must be NAME=TABLE, NAME=TABLE:sum or NAME=TABLE:mean`,
    );
  }
  return { name, table, pooling: pooling as ModelFeature["pooling"] };
}
